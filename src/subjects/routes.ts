import { type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { customerText } from '../http/input/identifiers.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { timeJson } from '../http/input/times.ts'
import { jsonResponse } from '../http/output/json.ts'
import { noSuch, problem, refusalResponse } from '../http/output/problem.ts'
import { answerOnce } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { eraseSubject } from '../ledger/client/client.ts'
import { shareWithTestLedger } from '../ledger/client/test-ledger.ts'
import {
  addSubject,
  changeSubject,
  findSubject,
  listSubjects,
  type SubjectRecord,
  type Subjects,
} from './records.ts'
import { erasedSchema, type SubjectResource, subjectsPage, subjectsQuery, TEAMS, USERS } from './schema.ts'

/** The routes of users, or of teams: see `SubjectResource` for what differs. */
function subjectRoutes(resource: SubjectResource): OpenAPIHono<AppEnv> {
  const { kind, name, id_field } = resource
  const params = z.object({ [id_field]: customerText() })
  const path = `/{${id_field}}`
  const reads = scoped('credits:read')
  const writes = scoped('credits:write')
  const record = json(`The ${kind}.`, resource.record)

  const listRoute = route({
    method: 'get',
    path: '/',
    summary: `${name}s, newest first`,
    description: `Who was created here, and who was mentioned: by an event, or as the owner of a wallet.`,
    ...reads,
    request: { query: subjectsQuery },
    answers: { 200: json(`A page of ${kind}s.`, subjectsPage(resource)) },
  })

  const createSubjectRoute = route({
    method: 'post',
    path: '/',
    summary: `Record a ${kind}`,
    description: `A ${kind} is recorded on first mention anyway, and is then a 409 here. It makes no wallet.`,
    ...writes,
    request: { body: jsonRequest(resource.create) },
    answers: { 201: record },
    problems: ['overloaded', 'idempotency_mismatch', 'conflict'],
  })

  const getRoute = route({
    method: 'get',
    path,
    summary: `One ${kind}`,
    ...reads,
    request: { params },
    answers: { 200: record },
    problems: ['not_found'],
  })

  const changeRoute = route({
    method: 'patch',
    path,
    summary: `Change what is known of a ${kind}`,
    ...writes,
    request: { params, body: jsonRequest(resource.change) },
    answers: { 200: record },
    problems: ['overloaded', 'idempotency_mismatch', 'not_found'],
  })

  const eraseRoute = route({
    method: 'delete',
    path,
    summary: `Erase a ${kind} and keep the ledger`,
    description: [
      `Erases the id wherever it stands, the ${kind}'s profile, and the metadata of its events and of the entries of its wallet, and its entitlements; recurring grants to its wallet end.`,
      'Amounts, transactions and events stay, under the name `erased_id`; credits that are left in its wallet can be transferred from there.',
      `The id is free then: who comes with it next is a new ${kind} without a wallet. A repeat is a 404.`,
      'Of a ledger so large that it takes longer than a request, the answer is a 503: it goes on by itself, and a repeat says when it is done.',
    ].join(' '),
    ...writes,
    request: { params },
    answers: { 200: json('Erased.', erasedSchema(resource)) },
    problems: ['overloaded', 'not_found'],
  })

  const subjectsOf = (c: Context<AppEnv>): Subjects => ({
    env: c.env,
    ledger: ledgerOf(c),
    caller: callerOf(c),
    kind,
  })
  const idOf = (valid: Readonly<Record<string, string>>): string => {
    const id = valid[id_field]
    if (id === undefined) throw new Error(`the path has no ${id_field}`)
    return id
  }
  const render = (subject: Omit<SubjectRecord, 'number'>): object => ({
    [id_field]: subject.external_id,
    ...(subject.email !== null && { email: subject.email }),
    ...(subject.metadata !== null && { metadata: JSON.parse(subject.metadata) }),
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
        metadata: metadata ? JSON.stringify(metadata) : null,
        created_at_ms,
      })
      const answer = { status: 201, body } as const
      const added = await addSubject(subjectsOf(c), id, profile, created_at_ms, keep(answer))
      if (added.kind === 'refused') return refusalResponse(c, added.refusal)
      if (added.kind === 'taken') {
        return problem(c, { code: 'conflict', detail: `There is a ${kind} ${id} already.` })
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
            'The erasure is under way and goes on by itself. Repeat the request to learn when it is done.',
          headers: { 'Retry-After': '5' },
        })
      case 'erased':
        // What it was entitled to is gone with it, also where test keys ask.
        if (c.get('key').mode === 'live') await shareWithTestLedger(c.env, c.get('key').customer_id)
        return jsonResponse(c, { [id_field]: id, deleted: true, erased_id: result.alias })
    }
  })

  return router
}

export const usersRoutes = subjectRoutes(USERS)
export const teamsRoutes = subjectRoutes(TEAMS)
