import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { authenticate, bearerToken, credentialOf } from '../api-keys/authentication/authenticate.ts'
import { isOperatorToken } from '../api-keys/authentication/operator.ts'
import { OPERATOR_ACTOR, PUBLIC_ACTOR } from '../audit/record.ts'
import { configOf } from '../config.ts'
import { auditorOf, idempotencyKey } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { timeJson } from '../http/input/times.ts'
import { jsonBody } from '../http/middleware/body.ts'
import { admitsStranger, tooManyRequests, unauthorized } from '../http/middleware/platform-limits.ts'
import { jsonResponse } from '../http/output/json.ts'
import { problem, refusalResponse, serviceUnavailable } from '../http/output/problem.ts'
import { type Answer, answerOnce, type KeepAnswer } from '../http/output/stored-answers.ts'
import { CUSTOMER_SECURITY, createRouter, json, jsonRequest, OPEN_OR_OPERATOR, route } from '../http/route.ts'
import { readCustomer } from './accounts.ts'
import { type Registered, type RegistrationOutcome, register } from './register.ts'
import { customerSchema, type Registration, registeredSchema, registrationSchema } from './schema.ts'

/**
 * Admits the operator token. If registration is open, also admits requests without a Bearer token. Refuses any other
 * token.
 */
const registrar = createMiddleware<AppEnv>(async (c, next) => {
  const token = bearerToken(c.req.header('Authorization'))
  if (token === undefined && !configOf(c.env).open_registration) {
    return unauthorized(
      c,
      'missing_api_key',
      'Registration is closed. Send the operator token as Authorization: Bearer TOKEN.',
    )
  }
  if (token !== undefined && !isOperatorToken(c.env, token)) {
    return unauthorized(
      c,
      'invalid_api_key',
      'The Bearer token is not the operator token. Send the operator token or, if registration is open, no token.',
    )
  }
  if (token === undefined && !(await admitsStranger(c))) return tooManyRequests(c, 'address')
  return next()
})

const registerRoute = route({
  method: 'post',
  path: '/register',
  summary: 'Register a customer',
  description:
    'Only this response contains the first API key. If the request contains the operator token, a repeat with the same `Idempotency-Key` gets the same response. A response to a request without a token is not stored, because no credential can encrypt it. A repeat of this request therefore gets a 409 response.',
  middleware: [registrar, jsonBody, idempotencyKey],
  security: OPEN_OR_OPERATOR,
  request: { body: jsonRequest(registrationSchema) },
  answers: { 201: json('The customer and its first key.', registeredSchema) },
  problems: [
    'missing_api_key',
    'invalid_api_key',
    'insufficient_scope',
    'conflict',
    'idempotency_mismatch',
    'overloaded',
    'unavailable',
  ],
})

const meRoute = route({
  method: 'get',
  path: '/me',
  summary: 'Get the customer of the API key',
  middleware: [authenticate],
  security: CUSTOMER_SECURITY,
  answers: { 200: json('The customer.', customerSchema) },
})

/** The routes of customers. They are mounted before `authenticate`, because a new customer has no API key yet. */
export const customersRoutes = createRouter()

customersRoutes.openapi(registerRoute, async (c) => {
  const registration = c.req.valid('json')
  const by_operator = bearerToken(c.req.header('Authorization')) !== undefined
  if (registration.tier !== 'STARTER' && !by_operator) {
    return problem(c, {
      code: 'insufficient_scope',
      detail: `The tier ${registration.tier} requires the operator token. Without it, register as STARTER.`,
    })
  }
  const auditor = auditorOf(c, by_operator ? OPERATOR_ACTOR : PUBLIC_ACTOR)
  try {
    const attempt = async (keep: KeepAnswer) => {
      const also = (registered: Registered) =>
        keep(registeredAnswer(registration, registered), { if_changed: true })
      const outcome = await register(c.env, registration, auditor, Date.now(), also)
      return outcome.kind === 'registered'
        ? registeredAnswer(registration, outcome)
        : registrationRefused(c, outcome)
    }
    // A stored response is encrypted with the credential of its request. A registration without the operator token has
    // no credential, so the response to it is not stored.
    const once = by_operator
      ? { owner: OPERATOR_ACTOR, operation: 'POST /v1/customers/register', credential: credentialOf(c) }
      : undefined
    return await answerOnce(c, once, attempt)
  } catch (error) {
    return serviceUnavailable(c, 'customer_not_registered', error)
  }
})

customersRoutes.openapi(meRoute, async (c) => {
  const { customer_id } = c.get('key')
  try {
    const customer = await readCustomer(c.env, customer_id)
    if (!customer) throw new Error(`the customer ${customer_id} of a valid key is not in D1`)
    const { name, email, tier, status, created_at_ms } = customer
    return jsonResponse(c, {
      ...{ customer_id, name, email, tier, status },
      created_at: timeJson(created_at_ms),
    })
  } catch (error) {
    return serviceUnavailable(c, 'customer_not_read', error)
  }
})

function registeredAnswer(
  { name, email, tier }: Registration,
  { customer_id, api_key, created_at_ms }: Registered,
): Answer {
  const created_at = timeJson(created_at_ms)
  return { status: 201, body: { customer_id, api_key, name, email, tier, created_at } }
}

function registrationRefused(
  c: Context<AppEnv>,
  outcome: Exclude<RegistrationOutcome, Registered>,
): Response {
  return outcome.kind === 'refused'
    ? refusalResponse(c, outcome.refusal)
    : problem(c, {
        code: 'conflict',
        detail:
          'A customer with this email already exists, or another request is registering it. Use another email.',
      })
}
