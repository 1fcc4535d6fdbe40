import { z } from 'zod'
import type { Bindings } from '../bindings.ts'
import { oncePerBindings } from '../config.ts'
import { logFailure } from '../logging/log.ts'
import { findProvider, type ProviderRef } from '../pricing/catalogue/catalogue.ts'
import { KEY_TEXT, MAX_KEY_CHARS } from './schema.ts'

/**
 * A provider key of the operator. The Worker's secret `OPERATOR_PROVIDER_KEYS` contains the keys as JSON of at most 5
 * KB, such as `{"OPENAI": {"key": "sk-…", "customers": ["cust_…"]}}`. `customers` is `"*"` if every customer may use
 * the key. The keys are used for live ledgers only, because a customer can grant itself any credits in its test
 * ledger.
 */
export interface OperatorKey {
  readonly key: string
  readonly base_url: string | undefined
}

const operatorKeySchema = z.strictObject({
  key: z.string().min(1).max(MAX_KEY_CHARS).regex(KEY_TEXT),
  base_url: z.url({ protocol: /^https?$/ }).optional(),
  customers: z.union([z.literal('*'), z.array(z.string()).max(1_000)]),
})

type OperatorKeys = ReadonlyMap<string, z.infer<typeof operatorKeySchema>>

const NONE: OperatorKeys = new Map()
const operatorKeys = oncePerBindings((env) => parse(env.OPERATOR_PROVIDER_KEYS ?? ''))

/** Returns the operator's key of a provider, if the live ledger of the customer may use it. */
export function operatorKeyOf(
  env: Bindings,
  provider: ProviderRef,
  customer_id: string,
): OperatorKey | undefined {
  const found = operatorKeys(env).get(provider.id)
  if (!found || (found.customers !== '*' && !found.customers.includes(customer_id))) return undefined
  return { key: found.key, base_url: found.base_url }
}

/**
 * Parses the secret. Returns no keys if it is invalid. The log line describes the fault without quoting the secret.
 */
function parse(text: string): OperatorKeys {
  if (text === '') return NONE
  try {
    const entries = z.record(z.string(), operatorKeySchema).parse(JSON.parse(text))
    const keys = Object.entries(entries).map(([name, entry]) => [findProvider(name)?.id, entry] as const)
    return new Map(keys.flatMap(([id, entry]) => (id === undefined ? [] : [[id, entry]])))
  } catch {
    logFailure('operator_provider_keys_refused', {
      reason: 'OPERATOR_PROVIDER_KEYS is not JSON of the documented form',
    })
    return NONE
  }
}
