import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, inject } from 'vitest'
import type { OpenMonetize } from '../../src/index.ts'
import { micro } from '../support/metered.ts'
import { newCustomer, type Server, startServer } from '../support/server.ts'

/** A separate server of the Worker, with variables that a test sets. */
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

/** A customer whose charges are compared with the usage that a scripted provider reports. */
export interface GatewayCustomer {
  readonly om: OpenMonetize
  readonly apiKey: string
  /** Waits until the customer has `count` events, and returns them, newest first. */
  events(count: number): Promise<readonly BurnedEvent[]>
  /** Waits until the customer has `count` events and no open hold. Returns the burned micro-credits. */
  burned(count: number): Promise<number>
  /** Returns the price of a usage in micro-credits, which the server calculates. */
  price(usage: Parameters<OpenMonetize['rating']['calculate']>[0]): Promise<number>
  /** Returns the credits that are held in the customer's wallet. */
  held(): Promise<number>
}

export type BurnedEvent = Awaited<ReturnType<OpenMonetize['events']['list']>>['data'][number]

export const PROVIDER_KEY = 'sk-canary-of-the-provider-0123456789'

/** Creates a customer with keys for all three providers. Each key has the address of a test double. */
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

/** Returns a `GatewayCustomer` for an existing customer. */
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

/** Sends a POST request to the gateway, as a client without an SDK does. */
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
