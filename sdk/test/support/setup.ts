import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { startServer } from './server.ts'

/** Starts one server for all test files. Tests that kill their server start another one from the same script. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(path.join(tmpdir(), 'openmonetize-sdk-'))
  const bundle = path.join(directory, 'bundle')
  const server = await startServer(bundle, path.join(directory, 'state'))
  project.provide('server', { url: server.url, bundle })
  return async () => {
    await server.kill()
    rmSync(directory, { recursive: true, force: true })
  }
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly server: { readonly url: string; readonly bundle: string }
  }
}
