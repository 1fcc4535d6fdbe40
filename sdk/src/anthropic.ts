import type { OpenMonetize } from './client.ts'
import { ConfigurationError } from './errors.ts'
import { type Api, type FetchClient, fetchOf, meteredFetch } from './wrappers/fetch.ts'
import { charsOf, isJson, type Json, Meter, type MeteredCall, type Metering } from './wrappers/metering.ts'

export type { Metering, MeterOptions } from './wrappers/metering.ts'

const APIS: readonly Api[] = [
  {
    name: 'anthropic',
    path: /\/messages$/,
    limits: ['max_tokens'],
    input: ['messages', 'system', 'tools'],
    read: (call, json) => {
      switch (json.type) {
        case 'message':
          return take(call, json, true)
        case 'message_start':
          return isJson(json.message) ? take(call, json.message, false) : undefined
        case 'content_block_delta':
          return call.progress(charsOf(json.delta))
        case 'message_delta':
          return take(call, json, true)
      }
    },
  },
]

/**
 * Adds the usage of a response to the call. A stream reports totals, so its later numbers replace the earlier ones.
 */
function take(call: MeteredCall, { model, usage }: Json, isFinal: boolean): void {
  if (typeof model === 'string') call.model = model
  if (!isJson(usage)) return
  const earlier = isJson(call.response?.usage) ? call.response.usage : {}
  const given = Object.entries(usage).filter(([, value]) => value !== null)
  call.response = { model: call.model, usage: { ...earlier, ...Object.fromEntries(given) } }
  call.isFinal = isFinal
}

/**
 * Returns an Anthropic client that meters messages, including their helpers and streams. `client` is not changed.
 *
 * @example
 * const anthropic = meter(new Anthropic(), om, { feature_id: 'chat', user_id: 'ada' })
 * const message = await anthropic.messages.create({ model: 'claude-sonnet-4-5', max_tokens: 1024, messages })
 */
export function meter<T extends FetchClient<T>>(client: T, om: OpenMonetize, options: Metering = {}): T {
  if (typeof client?.withOptions !== 'function') {
    throw new ConfigurationError('The first argument must be a client of the @anthropic-ai/sdk package.')
  }
  return client.withOptions({
    fetch: meteredFetch(fetchOf(client), new Meter(om, options, 'ANTHROPIC'), APIS),
  })
}
