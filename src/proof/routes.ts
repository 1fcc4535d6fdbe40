import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { objectId } from '../http/input/identifiers.ts'
import { streamText } from '../http/output/export.ts'
import { jsonResponse } from '../http/output/json.ts'
import { noSuch, problem, refusalResponse, serviceUnavailable } from '../http/output/problem.ts'
import { createRouter, json, OPEN, route } from '../http/route.ts'
import { catchUp } from '../ledger/client/client.ts'
import { currentPrices } from '../rating/current-prices.ts'
import { explainRecorded } from '../rating/explain/recorded.ts'
import { type Checkpointed, checkpointJson, makeCheckpoint, type RefusalOf } from './checkpoint.ts'
import { exportLines, readChainedEntry } from './export.ts'
import { type SigningKey, signingKeyOf } from './keys.ts'
import { signReceipt } from './receipt.ts'
import { publicKeys } from './store.ts'

const checkpointSchema = z
  .object({
    entry_number: z
      .int()
      .openapi({ description: 'The number of the last ledger entry that the checkpoint covers.' }),
    hash: z.string().openapi({ description: 'The hash of the last covered entry: SHA-256 in base64url.' }),
    created_at: z.string().openapi({ format: 'date-time' }),
    key_id: z
      .string()
      .openapi({ description: 'The id of the signing key: the `kid` of its public key in the key set.' }),
    note: z.string().openapi({ description: 'The signed text in the C2SP signed-note format.' }),
  })
  .openapi('Checkpoint')

const PROBLEMS = ['overloaded', 'conflict', 'signing_not_configured'] as const

const checkpointRoute = route({
  method: 'get',
  path: '/checkpoint',
  summary: "Get a signed checkpoint of the ledger's last entry",
  description:
    'Signs the hash of the last entry. The hash depends on all earlier entries. Store the checkpoints, and verify that each later export contains them. If the hash chain of the ledger does not contain its newest checkpoint, no new checkpoint is signed, and the request fails with `conflict`.',
  ...scoped('credits:read'),
  answers: { 200: json('The checkpoint.', checkpointSchema) },
  problems: [...PROBLEMS],
})

const MAX_ENTRY_DIGITS = 12

const exportRoute = route({
  method: 'get',
  path: '/export',
  summary: 'Export the ledger with its hash chain, to verify it offline',
  description:
    'Streams the entries in order, with their hashes and checkpoints. The last checkpoint of the export covers the last entry. A long ledger is exported in parts. The last line of a part contains the number of the first entry of the next part.',
  ...scoped('credits:read'),
  request: {
    query: z.strictObject({
      from: z
        .string()
        .regex(new RegExp(`^[1-9]\\d{0,${MAX_ENTRY_DIGITS - 1}}$`), 'must be the number of an entry, from 1')
        .transform(Number)
        .optional()
        .openapi({
          type: 'integer',
          minimum: 1,
          description:
            'The number of the first exported entry, inclusive. Default: the first entry of the chain.',
        }),
    }),
  },
  answers: {
    200: {
      description: 'The export, with one JSON object on each line.',
      content: { 'application/x-ndjson': { schema: z.string() } },
    },
  },
  problems: [...PROBLEMS],
})

const receiptRoute = route({
  method: 'get',
  path: '/{id}/receipt',
  summary: 'Get a signed receipt of an event',
  description:
    'Returns a compact JWS (EdDSA). The receipt contains the usage of the event, the computation of its price, the burned lots, the balances before and after, the entry in the hash chain, and a checkpoint that covers the entry. Amounts are strings.',
  ...scoped('credits:read', currentPrices),
  request: { params: z.object({ id: objectId() }) },
  answers: { 200: json('The receipt.', z.object({ receipt: z.string() }).openapi('Receipt')) },
  problems: [...PROBLEMS, 'not_found'],
})

const keysRoute = route({
  method: 'get',
  path: '/.well-known/openmonetize-keys.json',
  security: OPEN,
  summary: 'Get the public keys that verify checkpoints and receipts',
  description:
    'Returns a JSON Web Key Set. The set also contains replaced keys, so that old signatures can be verified.',
  answers: {
    200: json(
      'The keys, newest first.',
      z
        .object({
          keys: z.array(
            z.object({
              kty: z.literal('OKP'),
              crv: z.literal('Ed25519'),
              x: z.string(),
              kid: z.string(),
              use: z.literal('sig'),
              alg: z.literal('EdDSA'),
            }),
          ),
        })
        .openapi('KeySet'),
    ),
  },
})

export const ledgerRoutes = createRouter()
export const receiptRoutes = createRouter()
export const keysRoutes = createRouter()

ledgerRoutes.openapi(checkpointRoute, (c) =>
  withCheckpoint(c, async ({ checkpoint }) => jsonResponse(c, checkpointJson(checkpoint))),
)

ledgerRoutes.openapi(exportRoute, (c) => {
  const { from } = c.req.valid('query')
  const refusalOf: RefusalOf = ({ entry_number }) =>
    from !== undefined && from > entry_number
      ? `The last entry of the ledger is ${entry_number}, but "from" is ${from}. Use at most ${entry_number}.`
      : undefined
  return withCheckpoint(
    c,
    async ({ checkpoint, first_entry }) => {
      const range = { ledger_id: ledgerKey(ledgerOf(c)), first_entry, to: checkpoint.entry_number }
      const lines = exportLines(c.env, { ...range, from: Math.max(from ?? first_entry, first_entry) })
      return streamText(c, lines, { 'Content-Type': 'application/x-ndjson' })
    },
    refusalOf,
  )
})

receiptRoutes.openapi(receiptRoute, async (c) => {
  const { id } = c.req.valid('param')
  const from = { ledger: ledgerOf(c), caller: callerOf(c) }
  const found = await explainRecorded(c.env, from, id, c.get('prices'))
  if (found.kind === 'refused') return refusalResponse(c, found.refusal)
  if (found.kind === 'none') return noSuch(c, 'event', id)
  const ledger_id = ledgerKey(from.ledger)
  const { number } = found.entry
  const refusalOf: RefusalOf = ({ first_entry }) =>
    number < first_entry
      ? 'The event is older than the hash chain of the ledger and has no receipt.'
      : undefined
  return withCheckpoint(
    c,
    async ({ checkpoint, first_entry, key }) => {
      const chained = await readChainedEntry(c.env, { ledger_id, first_entry }, number)
      if (!chained) throw new Error(`D1 does not have entry ${number} of ${ledger_id}`)
      const receipt = await signReceipt(key, { ledger_id, ...found, chained, checkpoint }, Date.now())
      return jsonResponse(c, { receipt })
    },
    refusalOf,
  )
})

keysRoutes.openapi(keysRoute, async (c) => {
  try {
    const current = await signingKeyOf(c.env)
    const kept = await publicKeys(c.env)
    const known = kept.some(({ key_id }) => key_id === current?.key_id)
    const keys = current && !known ? [current, ...kept] : kept
    const set = keys.map(({ key_id, public_key }) => ({
      ...{ kty: 'OKP', crv: 'Ed25519', x: public_key, kid: key_id, use: 'sig', alg: 'EdDSA' },
    }))
    return jsonResponse(c, { keys: set }, 200, { 'Cache-Control': 'public, max-age=300' })
  } catch (error) {
    return serviceUnavailable(c, 'signing_keys_not_read', error)
  }
})

type Signed = Extract<Checkpointed, { readonly kind: 'signed' }> & { readonly key: SigningKey }

/**
 * Flushes all commits to D1, makes a checkpoint of the last entry, and returns the result of `answer`. If there is no
 * checkpoint, returns a problem document.
 */
async function withCheckpoint(
  c: Context<AppEnv>,
  answer: (signed: Signed) => Promise<Response>,
  refusalOf?: RefusalOf,
): Promise<Response> {
  const key = await signingKeyOf(c.env)
  if (!key) {
    const detail =
      'This deployment has no usable signing key. The operator must set the secret LEDGER_SIGNING_KEY.'
    return problem(c, { code: 'signing_not_configured', detail })
  }
  const ledger = ledgerOf(c)
  const caught_up = await catchUp(c.env, ledger, { caller: callerOf(c) })
  if (caught_up.kind === 'refused') return refusalResponse(c, caught_up.refusal)
  try {
    const made = await makeCheckpoint(c.env, ledgerKey(ledger), key, Date.now(), refusalOf)
    switch (made.kind) {
      case 'signed':
        return await answer({ ...made, key })
      case 'refused':
        return problem(c, { code: 'conflict', detail: made.detail })
      case 'empty':
        return problem(c, {
          code: 'conflict',
          detail: 'The ledger has no entry with a hash yet. Try again after the next event or grant.',
        })
      case 'forked': {
        const detail = `The ledger does not contain its checkpoint of entry ${made.entry_number}. The operator must find the cause.`
        return problem(c, { code: 'conflict', detail })
      }
    }
  } catch (error) {
    return serviceUnavailable(c, 'ledger_not_proved', error)
  }
}
