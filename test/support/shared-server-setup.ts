import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { npmStart, type StartedServer } from './npm-start.ts'

/**
 * Provides one server of `npm start` to all test files that need a server but no separate state. The server starts when
 * the first of these files calls `sharedServer`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const state = mkdtempSync(path.join(tmpdir(), 'openmonetize-shared-'))
  let starting: Promise<StartedServer> | undefined
  const desk = createServer((_, response) => {
    starting ??= npmStart({ state })
    starting.then(
      ({ url }) => response.end(url),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => desk.listen(0, '127.0.0.1', resolve))
  const address = desk.address()
  if (typeof address !== 'object' || !address) throw new Error('the shared server has no desk')
  project.provide('shared_server_desk', `http://127.0.0.1:${address.port}/`)
  return async () => {
    desk.close()
    await starting?.then((server) => server.stop()).catch(() => undefined)
    rmSync(state, { recursive: true, force: true })
  }
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly shared_server_desk: string
  }
}
