import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chromium } from 'playwright-core'
import type { TestProject } from 'vitest/node'
import { npmStart } from '../../../test/support/npm-start.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** The shared parts of the dashboard's tests: one `npm start` and one browser. */
export interface Shared {
  readonly url: string
  readonly browser: string
}

/** Starts both. Without Chromium, it starts neither, and the tests of the browser are skipped with a note. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(CHROMIUM)) {
    console.warn(`No Chromium at ${CHROMIUM}: the dashboard is not tested. CHROMIUM names another place.`)
    project.provide('dashboard', null)
    return async () => undefined
  }
  const state = mkdtempSync(path.join(tmpdir(), 'openmonetize-dashboard-'))
  // Analytics lag a burn by the flush and the queue.
  const [server, browser] = await Promise.all([
    npmStart({ state, env: { VARS: 'FLUSH_DELAY_MS=100 NOTIFICATION_DELAY_MS=50' } }),
    chromium.launchServer({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] }),
  ])
  project.provide('dashboard', { url: server.url, browser: browser.wsEndpoint() })
  return async () => {
    await browser.close()
    await server.stop()
    rmSync(state, { recursive: true, force: true })
  }
}

declare module 'vitest' {
  interface ProvidedContext {
    /** Null without Chromium. */
    readonly dashboard: Shared | null
  }
}
