import type { Context } from 'hono'
import { ledgerKey } from '../db/ledger-db.ts'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { BEHIND_ALL_IDS, idPage } from '../http/input/pagination.ts'
import { jsonResponse } from '../http/output/json.ts'
import { serviceUnavailable } from '../http/output/problem.ts'
import { answerOnce, type Once } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, optionalJsonRequest, route } from '../http/route.ts'
import { logError } from '../logging/log.ts'
import { apiKeyJson, createdOrRefused, keyRefusal, recordedAndKept } from './answers.ts'
import { auditDeletedKey } from './audit.ts'
import { credentialOf, scoped, scopedToRead } from './authentication/authenticate.ts'
import type { KeyActor } from './authentication/context.ts'
import { createApiKey, deleteApiKey, rotateApiKey } from './changes.ts'
import { settleRevocation } from './revocation.ts'
import { type ApiKey, listKeys } from './rows.ts'
import {
  apiKeyDraftSchema,
  apiKeyPath,
  apiKeySchema,
  apiKeysQuery,
  apiKeysSchema,
  createdKeySchema,
  rotatedKeySchema,
  rotationSchema,
} from './schema.ts'

const SECRET_ONCE =
  'Only this response contains the text of the new key. If the response is lost, repeat the request with the same `Idempotency-Key` and the same calling key. The stored response is encrypted with the calling key.'

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List API keys, newest first, including deleted keys',
  description: 'The list never contains the text of a key. A request with a test key lists only test keys.',
  ...scopedToRead('keys:write'),
  request: { query: apiKeysQuery },
  answers: { 200: json('A page of keys.', apiKeysSchema) },
})

const createKeyRoute = route({
  method: 'post',
  path: '/',
  summary: 'Create an API key',
  description: [
    'The new key can have only scopes that the calling key has. It cannot expire later than the calling key. A live key can create live and test keys. A test key can create only test keys.',
    'The creation of the first test key also creates the test ledger.',
    SECRET_ONCE,
  ].join(' '),
  ...scoped('keys:write'),
  request: { body: jsonRequest(apiKeyDraftSchema) },
  answers: { 201: json('The key.', createdKeySchema) },
  problems: ['conflict', 'idempotency_mismatch', 'overloaded'],
})

const rotateRoute = route({
  method: 'post',
  path: '/{id}/rotate',
  summary: 'Rotate an API key and keep its name, mode, scopes and expiry',
  description: [
    'Both keys work during the overlap. After the overlap, only the new key works. Without an overlap (the default), the ledgers refuse the old key immediately, and the rest of the API refuses it within 90 s. If a key rotates itself without an overlap, the request cannot be repeated.',
    SECRET_ONCE,
  ].join(' '),
  ...scoped('keys:write'),
  request: { params: apiKeyPath, body: optionalJsonRequest(rotationSchema) },
  answers: { 201: json('The new key.', rotatedKeySchema) },
  problems: ['not_found', 'conflict', 'idempotency_mismatch'],
})

const deleteRoute = route({
  method: 'delete',
  path: '/{id}',
  summary: 'Delete an API key permanently',
  description:
    'When you receive the response, the ledgers of the customer already refuse the key. The rest of the API refuses it within 90 s. If the key is already deleted, the request has no effect and gets the same response. After a 503, repeat the request.',
  ...scoped('keys:write'),
  request: { params: apiKeyPath },
  answers: { 200: json('The deleted key.', apiKeySchema) },
  problems: ['not_found'],
})

export const apiKeysRoutes = createRouter()

apiKeysRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit } = c.req.valid('query')
  const { customer_id, mode } = c.get('key')
  try {
    const found = await listKeys(c.env, customer_id, {
      before_id: cursor ?? BEHIND_ALL_IDS,
      mode: mode === 'test' ? 'test' : null,
      limit: limit + 1,
    })
    const { rows, next_cursor } = idPage(found, limit, (key) => key.key_id)
    const now_ms = Date.now()
    return jsonResponse(c, { data: rows.map((key) => apiKeyJson(key, now_ms)), next_cursor })
  } catch (error) {
    return serviceUnavailable(c, 'keys_not_listed', error)
  }
})

apiKeysRoutes.openapi(createKeyRoute, async (c) => {
  const { expires_at: expires_at_ms, ...draft } = c.req.valid('json')
  try {
    return await answerOnce(c, onceOf(c, 'POST /v1/api-keys'), async (keep) => {
      const actor = actorOf(c)
      const also = recordedAndKept(c, actor, keep)
      const made = await createApiKey(c.env, actor, { ...draft, expires_at_ms }, Date.now(), also)
      return createdOrRefused(c, made)
    })
  } catch (error) {
    return serviceUnavailable(c, 'key_not_made', error)
  }
})

apiKeysRoutes.openapi(rotateRoute, async (c) => {
  const { id } = c.req.valid('param')
  // Parses the body here, because the validator does not apply its defaults to a request without a body.
  const { overlap_seconds } = rotationSchema.parse(await c.req.json())
  const rotation = { key_id: id, overlap_ms: overlap_seconds * 1000 }
  try {
    const response = await answerOnce(c, onceOf(c, `POST /v1/api-keys/${id}/rotate`), async (keep) => {
      const actor = actorOf(c)
      const also = recordedAndKept(c, actor, keep)
      return createdOrRefused(c, await rotateApiKey(c.env, actor, rotation, Date.now(), also))
    })
    // Also runs after a replay, because the first attempt might have been interrupted before this step.
    if (response.status === 201) await settleRotation(c, id)
    return response
  } catch (error) {
    return serviceUnavailable(c, 'key_not_rotated', error)
  }
})

apiKeysRoutes.openapi(deleteRoute, async (c) => {
  const { id } = c.req.valid('param')
  const now_ms = Date.now()
  try {
    const actor = actorOf(c)
    const also = (key: ApiKey) => [auditDeletedKey(c, actor, key)]
    const outcome = await deleteApiKey(c.env, actor, id, now_ms, also)
    return outcome.kind === 'refused'
      ? keyRefusal(c, outcome)
      : jsonResponse(c, apiKeyJson(outcome.key, now_ms))
  } catch (error) {
    return serviceUnavailable(c, 'key_not_deleted', error)
  }
})

function actorOf(c: Context<AppEnv>): KeyActor {
  const { customer_id, key_id } = c.get('key')
  return { customer_id, key_id }
}

function onceOf(c: Context<AppEnv>, operation: string): Once {
  return { owner: ledgerKey(ledgerOf(c)), operation, credential: credentialOf(c) }
}

const SETTLE_AGAIN_MS = 2_000

/**
 * Sends the end of the overlap to the ledgers and KV, so that the old key is then refused. Never throws, because the
 * response contains the new key, which cannot be read again. D1 already contains the end of the overlap. A failed
 * update is retried once after the response.
 */
async function settleRotation(c: Context<AppEnv>, key_id: string): Promise<void> {
  const { customer_id } = c.get('key')
  const logFailure = (error: unknown) => logError('rotation_not_settled', error, { key_id })
  try {
    await settleRevocation(c.env, customer_id, key_id)
  } catch (error) {
    logFailure(error)
    const again = scheduler.wait(SETTLE_AGAIN_MS).then(() => settleRevocation(c.env, customer_id, key_id))
    c.executionCtx.waitUntil(again.catch(logFailure))
  }
}
