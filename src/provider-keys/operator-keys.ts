import { z } from 'zod'
import type { Bindings } from '../bindings.ts'
import { oncePerBindings } from '../config.ts'
import { logFailure } from '../logging/log.ts'
import { findProvider, type ProviderRef } from '../pricing/catalogue/catalogue.ts'
import { KEY_TEXT, MAX_KEY_CHARS } from './schema.ts'

/**
 * A provider key of the operator. The Worker's secret `OPERATOR_PROVIDER_KEYS` contains the operator's keys as JSON of
 * at most 5 KB, such as `{"OPENAI": {"key": "sk-…", "customers": ["cust_…"]}}`. `customers` is `"*"` if the key is for
 * all customers. These keys are used only for live ledgers, because a customer can grant itself any number of credits
 * in its test ledger.
 */
export interface OperatorKey {
  readonly key: string
  readonly base_url: string | undefined
}

const operatorKeySchema = z.strictObject({
  key: z.string().min(1).max(MAX_KEY_CHARS).regex(KEY_TEXT),
  // A query or a fragment would be lost, because the path of each call is appended to the URL.
  base_url: z
    .url({ protocol: /^https?$/ })
    .regex(/^[^?#]*$/)
    .optional(),
  customers: z.union([z.literal('*'), z.array(z.string()).max(1_000)]),
})

type OperatorKeys = ReadonlyMap<string, z.infer<typeof operatorKeySchema>>

const NONE: OperatorKeys = new Map()
const operatorKeys = oncePerBindings((env) => parse(env.OPERATOR_PROVIDER_KEYS ?? ''))

/**
 * Returns the operator's key for a provider; undefined if there is none, or if it is not for this customer. Must be
 * called only for live ledgers.
 */
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
 * Parses the secret. Ignores keys of unknown providers. If the secret is invalid, returns no keys and logs the reason
 * without quoting the secret.
 */
function parse(text: string): OperatorKeys {
  if (text === '') return NONE
  try {
    const entries = z.record(z.string(), operatorKeySchema).parse(JSON.parse(text))
    const keys = Object.entries(entries).map(([name, entry]) => [findProvider(name)?.id, entry] as const)
    return new Map(keys.flatMap(([id, entry]) => (id === undefined ? [] : [[id, entry]])))
  } catch {
    logFailure('operator_provider_keys_refused', {
      reason: 'OPERATOR_PROVIDER_KEYS is not JSON in the documented format',
    })
    return NONE
  }
}
