import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { configOf } from '../config.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { customerText } from '../http/input/identifiers.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { timeJson } from '../http/input/times.ts'
import { jsonOf, jsonResponse } from '../http/output/json.ts'
import { noSuch, problem, refusalResponse } from '../http/output/problem.ts'
import { answerOnce } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { eraseSubject } from '../ledger/client/client.ts'
import { jsonTextOf } from '../ledger/model/json.ts'
import {
  addSubject,
  changeSubject,
  findSubject,
  listSubjects,
  type SubjectRecord,
  type Subjects,
} from './records.ts'
import { erasedSchema, type SubjectResource, subjectsPage, subjectsQuery, TEAMS, USERS } from './schema.ts'

/** Returns the routes for users or for teams. `resource` defines the differences between the two. */
function subjectRoutes(resource: SubjectResource): OpenAPIHono<AppEnv> {
  const { kind, id_field } = resource
  const params = z.object({ [id_field]: customerText() })
  const path = `/{${id_field}}`
  const reads = scoped('credits:read')
  const writes = scoped('credits:write')
  const record = json(`The ${kind}.`, resource.record)

  const listRoute = route({
    method: 'get',
    path: '/',
    summary: `List ${kind}s, newest first`,
    description: `The list contains every ${kind} that was created with POST, or that occurs in the ledger, for example in an event or as the owner of a wallet.`,
    ...reads,
    request: { query: subjectsQuery },
    answers: { 200: json(`A page of ${kind}s.`, subjectsPage(resource)) },
  })

  const createSubjectRoute = route({
    method: 'post',
    path: '/',
    summary: `Create a ${kind}`,
    description: `This request is optional: the first change of the ledger that names a new ${kind}, such as an event or a grant, also creates the ${kind}. If the ${kind} already exists, the response is 409. The request does not create a wallet.`,
    ...writes,
    request: { body: jsonRequest(resource.create) },
    answers: { 201: record },
    problems: ['overloaded', 'idempotency_mismatch', 'conflict', 'too_many_open'],
  })

  const getRoute = route({
    method: 'get',
    path,
    summary: `Get a ${kind}`,
    ...reads,
    request: { params },
    answers: { 200: record },
    problems: ['not_found'],
  })

  const changeRoute = route({
    method: 'patch',
    path,
    summary: `Update a ${kind}`,
    ...writes,
    request: { params, body: jsonRequest(resource.change) },
    answers: { 200: record },
    problems: ['overloaded', 'idempotency_mismatch', 'not_found', 'too_many_open'],
  })

  const eraseRoute = route({
    method: 'delete',
    path,
    summary: `Erase the personal data of a ${kind}; the ledger entries are kept`,
    description: [
      `Replaces the id of the ${kind} with \`erased_id\`. Also erases its profile, its entitlements, its alerts, the metadata of its events, and the metadata of the entries of its wallet. The recurring grants and the automatic top-up of its wallet end. Free texts, such as a \`reason\` or a \`payment_reference\`, and idempotency keys are kept, even if they contain the id.`,
      'Amounts, transactions and events are kept under the id `erased_id`. The remaining credits can be transferred from the wallet of `erased_id`.',
      `The old id can be used again for a new ${kind}, which starts without a wallet. A repeated request gets the same response for a day, unless the id is used again: then it erases the new ${kind}. Later, the response is 404.`,
      'If the erasure takes longer than a request, for example in a large ledger, the response is 503. Repeat the request until the erasure is complete. If the `detail` of the response says that the erasure is not complete, it is completed automatically, even without a repeat. It begins when D1 has all earlier entries, and also erases what was recorded for the id before it begins.',
    ].join(' '),
    ...writes,
    request: { params },
    answers: { 200: json('The erased id.', erasedSchema(resource)) },
    problems: ['overloaded', 'not_found'],
  })

  const subjectsOf = (c: Context<AppEnv>): Subjects => ({
    env: c.env,
    ledger: ledgerOf(c),
    caller: callerOf(c),
    kind,
    max_profiles: configOf(c.env).limits[c.get('key').tier].profiles,
  })
  const full = (c: Context<AppEnv>): Response => {
    const { profiles } = configOf(c.env).limits[c.get('key').tier]
    const detail = `Only the first ${profiles} ${kind}s of a ledger may have a profile (email or metadata) at this tier. A ${kind} without a profile is created automatically, without this request.`
    return problem(c, { code: 'too_many_open', detail })
  }
  const idOf = (valid: Readonly<Record<string, string>>): string => {
    const id = valid[id_field]
    if (id === undefined) throw new Error(`the path has no ${id_field}`)
    return id
  }
  const render = (subject: Omit<SubjectRecord, 'number'>): object => ({
    [id_field]: subject.external_id,
    ...(subject.email !== null && { email: subject.email }),
    ...(subject.metadata !== null && { metadata: jsonOf(jsonTextOf(subject.metadata)) }),
    created_at: timeJson(subject.created_at_ms),
  })

  const router = createRouter()

  router.openapi(listRoute, async (c) => {
    const { cursor, limit } = c.req.valid('query')
    const page = await listSubjects(subjectsOf(c), cursor, limit)
    if (page.kind === 'refused') return refusalResponse(c, page.refusal)
    return jsonResponse(c, { data: page.subjects.map(render), next_cursor: nextCursor(page.next_before) })
  })

  router.openapi(createSubjectRoute, async (c) => {
    const { id, ...profile } = c.req.valid('json')
    const once = { owner: ledgerKey(ledgerOf(c)), operation: `POST /v1/${kind}s` }
    return answerOnce(c, once, async (keep) => {
      const created_at_ms = Date.now()
      const { email = null, metadata } = profile
      const body = render({
        external_id: id,
        email,
        metadata: metadata ?? null,
        created_at_ms,
      })
      const answer = { status: 201, body } as const
      const added = await addSubject(subjectsOf(c), id, profile, created_at_ms, keep(answer))
      if (added.kind === 'refused') return refusalResponse(c, added.refusal)
      if (added.kind === 'full') return full(c)
      if (added.kind === 'taken') {
        return problem(c, { code: 'conflict', detail: `The ${kind} ${id} already exists.` })
      }
      return answer
    })
  })

  router.openapi(getRoute, async (c) => {
    const id = idOf(c.req.valid('param'))
    const found = await findSubject(subjectsOf(c), id)
    if (found.kind === 'refused') return refusalResponse(c, found.refusal)
    return found.kind === 'none' ? noSuch(c, kind, id) : jsonResponse(c, render(found.subject))
  })

  router.openapi(changeRoute, async (c) => {
    const id = idOf(c.req.valid('param'))
    const changed = await changeSubject(subjectsOf(c), id, c.req.valid('json'))
    if (changed.kind === 'refused') return refusalResponse(c, changed.refusal)
    if (changed.kind === 'full') return full(c)
    return changed.kind === 'none' ? noSuch(c, kind, id) : jsonResponse(c, render(changed.subject))
  })

  router.openapi(eraseRoute, async (c) => {
    const id = idOf(c.req.valid('param'))
    const result = await eraseSubject(c.env, ledgerOf(c), { caller: callerOf(c), kind, id })
    switch (result.kind) {
      case 'refused':
        return refusalResponse(c, result.refusal)
      case 'none':
        return noSuch(c, kind, id)
      case 'in_progress':
        return problem(c, {
          code: 'unavailable',
          detail:
            'The erasure is not complete. It continues automatically. Repeat the request to get the erased id.',
          headers: { 'Retry-After': '5' },
        })
      case 'erased':
        return jsonResponse(c, { [id_field]: id, deleted: true, erased_id: result.alias })
    }
  })

  return router
}

export const usersRoutes = subjectRoutes(USERS)
export const teamsRoutes = subjectRoutes(TEAMS)
