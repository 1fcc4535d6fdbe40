import { z } from '@hono/zod-openapi'
import { BEHIND_ALL_IDS, idPage, idPageQuery, pageSchema } from '../../http/input/pagination.ts'
import { timeJson, timeOrNull } from '../../http/input/times.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { serviceUnavailable } from '../../http/output/problem.ts'
import { answerOnce } from '../../http/output/stored-answers.ts'
import { createRouter, json, OPERATOR_SECURITY, optionalJsonRequest, route } from '../../http/route.ts'
import {
  type DeadLetter,
  listDeadLetters,
  MAX_REPLAYED,
  replayDeadLetters,
} from '../../usage/queue/dead-letters.ts'
import { recordAction } from '../record-action.ts'

const STATES = ['open', 'replayed'] as const

const listQuery = z.strictObject({
  ...idPageQuery('dl'),
  state: z.enum(STATES).default('open').openapi({
    description: '`open`: not consumed yet. `replayed`: consumed by a replay in the last 30 days.',
  }),
})

const time = z.iso.datetime()

const letterSchema = z
  .object({
    dead_letter_id: z.string(),
    state: z.enum(STATES),
    reason: z.string().openapi({
      description: 'The reason of the last failed attempt to consume the message.',
    }),
    attempts: z.int().openapi({
      description:
        'The number of attempts to consume the message since it entered the dead-letter queue, including replays.',
    }),
    sent_at: time,
    failed_at: time,
    replayed_at: time.nullable(),
    body: z.string().openapi({ description: "The first 2,000 characters of the message's JSON." }),
  })
  .openapi('DeadLetter')

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List dead letters: usage messages that could not be consumed, newest first',
  security: OPERATOR_SECURITY,
  request: { query: listQuery },
  answers: { 200: json('A page of messages.', pageSchema(letterSchema).openapi('DeadLettersPage')) },
})

const replaySchema = z
  .strictObject({
    dead_letter_ids: z
      .array(z.string().regex(/^dl_[0-9a-hjkmnp-tv-z]{26}$/, 'must be a dead_letter_id'))
      .min(1, 'must contain at least 1 id')
      .max(MAX_REPLAYED, `must contain at most ${MAX_REPLAYED} ids`)
      .optional(),
  })
  .openapi('DeadLetterReplay')

const replayedSchema = z
  .object({
    replayed: z
      .int()
      .openapi({ description: 'The number of messages that this call consumed. No usage is counted twice.' }),
    failed: z.int().openapi({
      description:
        'The number of messages that failed again. They stay in the list of open dead letters, with the new reason.',
    }),
    not_found: z
      .int()
      .openapi({ description: 'The number of requested messages that do not exist or are not open.' }),
    more: z.boolean().openapi({
      description:
        'Whether more messages were open than one call can replay. If true, call again. Always false if the request contains ids.',
    }),
  })
  .openapi('DeadLetterReplayed')

const OPERATION = 'POST /v1/admin/dead-letters/replay'

const replayRoute = route({
  method: 'post',
  path: '/replay',
  summary: 'Replay the given dead letters; without ids, the 100 with the oldest last failure',
  security: OPERATOR_SECURITY,
  request: { body: optionalJsonRequest(replaySchema) },
  answers: { 200: json('The result.', replayedSchema) },
  problems: ['idempotency_mismatch'],
})

export const deadLettersRoutes = createRouter()

deadLettersRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit, state } = c.req.valid('query')
  try {
    const page = { before_id: cursor ?? BEHIND_ALL_IDS, limit: limit + 1 }
    const found = await listDeadLetters(c.env.DB, state, page)
    const { rows, next_cursor } = idPage(found, limit, (letter) => letter.dead_letter_id)
    return jsonResponse(c, { data: rows.map(letterJson), next_cursor })
  } catch (error) {
    return serviceUnavailable(c, 'dead_letters_not_listed', error)
  }
})

deadLettersRoutes.openapi(replayRoute, async (c) => {
  const { dead_letter_ids } = replaySchema.parse(await c.req.json())
  try {
    return await answerOnce(c, { owner: 'operator', operation: OPERATION }, async (keep) => {
      await recordAction(c, 'admin.replay_dead_letters', undefined)
      const body = await replayDeadLetters(c.env, dead_letter_ids, (replay) =>
        keep({ status: 200, body: replay }),
      )
      return { status: 200, body }
    })
  } catch (error) {
    return serviceUnavailable(c, 'dead_letters_not_replayed', error)
  }
})

function letterJson(letter: DeadLetter): object {
  const { dead_letter_id, state, reason, attempts, body, replayed_at_ms } = letter
  return {
    ...{ dead_letter_id, state, reason, attempts },
    sent_at: timeJson(letter.sent_at_ms),
    failed_at: timeJson(letter.failed_at_ms),
    replayed_at: timeOrNull(replayed_at_ms),
    body,
  }
}
