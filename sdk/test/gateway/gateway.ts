import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, inject } from 'vitest'
import type { OpenMonetize } from '../../src/index.ts'
import { micro } from '../support/metered.ts'
import { newCustomer, type Server, startServer } from '../support/server.ts'

/** A server of the Worker with its own variables. */
export interface Gateway extends Server {
  readonly state: string
  stop(): Promise<void>
}

export async function startGateway(
  variables: Readonly<Record<string, string>> = {},
  { state = newState(), log }: { readonly state?: string; readonly log?: number } = {},
): Promise<Gateway> {
  const { bundle } = inject('server')
  const server = await startServer(bundle, state, variables, log)
  return {
    ...server,
    state,
    async stop() {
      await server.kill()
      rmSync(path.dirname(state), { recursive: true, force: true })
    },
  }
}

/** Returns a folder in which a server creates its state. */
export function newState(): string {
  return path.join(mkdtempSync(path.join(tmpdir(), 'openmonetize-gateway-')), 'state')
}

/** A customer whose calls are compared with the usage of a script. */
export interface GatewayCustomer {
  readonly om: OpenMonetize
  readonly apiKey: string
  /** Waits for this number of events, and returns them, newest first. */
  events(count: number): Promise<readonly BurnedEvent[]>
  /** Waits for this number of events and until no hold is open. Returns the burned micro-credits. */
  burned(count: number): Promise<number>
  /** Returns the price of usage in micro-credits, from the calculator of the server. */
  price(usage: Parameters<OpenMonetize['rating']['calculate']>[0]): Promise<number>
  /** The credits that are held and in the wallet. */
  held(): Promise<number>
}

export type BurnedEvent = Awaited<ReturnType<OpenMonetize['events']['list']>>['data'][number]

export const PROVIDER_KEY = 'sk-canary-of-the-provider-0123456789'

/** Creates a customer whose keys of all three providers lead to a test double. */
export async function gatewayCustomer(url: string, upstream: string): Promise<GatewayCustomer> {
  const { om, apiKey } = await newCustomer(url)
  for (const provider of ['openai', 'anthropic', 'google']) {
    const draft = { provider, name: provider, key: PROVIDER_KEY, base_url: `${upstream}/${provider}` }
    const response = await fetch(`${url}/v1/provider-keys`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(draft),
    })
    if (response.status !== 201) throw new Error(await response.text())
  }
  return customerWith(om, apiKey)
}

/** Returns the test customer for an existing customer. */
export function customerWith(om: OpenMonetize, apiKey: string): GatewayCustomer {
  const events = async (count: number) => {
    await expect.poll(async () => (await om.events.list({ limit: 100 })).data.length, WAIT).toBe(count)
    return (await om.events.list({ limit: 100 })).data
  }
  const held = async () => (await om.credits.balance()).reserved_balance
  return {
    om,
    apiKey,
    events,
    held,
    async burned(count) {
      const burned = (await events(count)).reduce((sum, event) => sum + micro(event.credits_burned), 0)
      await expect.poll(held, WAIT).toBe(0)
      return burned
    },
    price: async (usage) => micro((await om.rating.calculate(usage)).credits),
  }
}

const WAIT = { timeout: 15_000, interval: 20 }

/** Posts to the gateway in the same way as a client without an SDK. */
export function post(
  gateway: { readonly url: string },
  { apiKey }: Pick<GatewayCustomer, 'apiKey'>,
  target: string,
  body: unknown,
  { signal, ...more }: { readonly signal?: AbortSignal } & Record<string, unknown> = {},
): Promise<Response> {
  return fetch(`${gateway.url}/gateway/${target}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${apiKey}`,
      'Content-Type': 'application/json',
      ...Object.fromEntries(Object.entries(more).map(([name, value]) => [name, String(value)])),
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  })
}
