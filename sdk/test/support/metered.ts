import { type Event, OpenMonetize, type OpenMonetizeOptions } from '../../src/index.ts'
import { newCustomer } from './server.ts'

/** A customer whose charges are compared with the usage that a scripted provider reports. */
export interface Metered {
  readonly om: OpenMonetize
  /** Returns the micro-credits that all events so far have burned. */
  burned(): Promise<number>
  /** Returns the price of a usage in micro-credits, which the server calculates. */
  price(usage: Partial<Event>): Promise<number>
  /** Returns the metadata of the last event. */
  metadata(): Promise<unknown>
  reported: unknown[]
}

export async function newMetered(url: string, options: Partial<OpenMonetizeOptions> = {}): Promise<Metered> {
  const reported: unknown[] = []
  const all = { onError: (error: unknown) => reported.push(error), queue: { intervalMs: 10 }, ...options }
  const { om: direct, apiKey } = await newCustomer(url)
  const om = new OpenMonetize({ apiKey, baseUrl: url, ...all })
  const events = async () => {
    await om.flush()
    return (await direct.events.list({ limit: 100 })).data
  }
  return {
    om,
    reported,
    burned: async () => (await events()).reduce((sum, event) => sum + micro(event.credits_burned), 0),
    price: async (usage) => micro((await direct.rating.calculate(usage)).credits),
    metadata: async () => (await events())[0]?.metadata,
  }
}

export function micro(credits: number): number {
  return Math.round(credits * 1e6)
}
