import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { createApp } from '../../src/app.ts'
import type { Bindings } from '../../src/config.ts'
import { type ApiOptions, apiRequest } from './api.ts'

const app = createApp()

/** A request to the Worker's app with other variables or bindings than the deployment's, until all it deferred is done. */
export async function apiWith(
  bindings: Partial<Bindings>,
  path: string,
  options: ApiOptions = {},
): Promise<Response> {
  const ctx = createExecutionContext()
  const response = await app.fetch(apiRequest(path, options), { ...env, ...bindings }, ctx)
  await waitOnExecutionContext(ctx)
  return response
}
