import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { createApp } from '../../src/app.ts'
import type { Bindings } from '../../src/bindings.ts'
import { type ApiOptions, apiRequest, send } from './api.ts'

const app = createApp()

/**
 * Sends a request to the app with changed variables or bindings, and waits for work that continues after the response.
 * Ledger objects keep the variables and bindings of the tests.
 */
export async function deployed(
  bindings: Partial<Bindings>,
  path: string,
  options: ApiOptions = {},
): Promise<Response> {
  return sendDeployed(bindings, apiRequest(path, options))
}

/** Sends a `Request` object in the same way as `deployed`. */
export function sendDeployed(bindings: Partial<Bindings>, request: Request): Promise<Response> {
  return send(request, async () => {
    const ctx = createExecutionContext()
    const response = await app.fetch(request, { ...env, ...bindings }, ctx)
    await waitOnExecutionContext(ctx)
    return response
  })
}
