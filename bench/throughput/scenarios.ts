import { randomUUID } from 'node:crypto'
import type { Answer, RequestParts } from './connection.ts'

/** Sends one request with the API key of the caller's customer, and resolves with the response. */
export type Send = (request: Omit<RequestParts, 'key'>) => Promise<Answer>

/** A kind of load. Each caller repeats the step, and starts the next one immediately after the response. */
export interface Scenario {
  readonly title: string
  readonly callers: number
  /** The number of units of work in a step: the events of a batch, 2 for a hold and its capture, and otherwise 1. */
  readonly units: number
  readonly customers: number
  /** Whether `--quick` includes the scenario. */
  readonly quick: boolean
  /** Whether the meter on PostgreSQL also supports the scenario. */
  readonly postgres: boolean
  /** Runs one step. `serial` is a text that is different for each step of a run. */
  readonly step: (send: Send, serial: string) => Promise<void>
}

const MODEL = '"provider":"OPENAI","model":"gpt-4o","input_tokens":1000,"output_tokens":500'
const EVENT = `"event_type":"TOKEN_USAGE","feature_id":"chat",${MODEL}`
const ACTION =
  '"action":{"type":"token_usage","provider":"openai","model":"gpt-4o","estimated_input_tokens":1000,"estimated_output_tokens":500}'

const keyed = (key: string) => `{${EVENT},"idempotency_key":"${key}"}`

const post = (path: string, body: string, headers: Readonly<Record<string, string>> = {}) =>
  ({ method: 'POST', path, body, headers }) as const

const single: Scenario['step'] = async (send, serial) => {
  await send(post('/v1/events/ingest', keyed(serial)))
}

const singleRandom: Scenario['step'] = async (send) => {
  await send(post('/v1/events/ingest', keyed(randomUUID())))
}

/** Returns a step that sends a batch of events, each with its own idempotency key. */
const batchOf =
  (size: number): Scenario['step'] =>
  async (send, serial) => {
    const events = Array.from({ length: size }, (_, i) => keyed(`${serial}-${i}`))
    await send(post('/v1/events/ingest', `{"events":[${events.join(',')}]}`))
  }

/** Returns a step that sends a batch of events with one idempotency key for the whole batch. */
const keyedBatchOf = (size: number): Scenario['step'] => {
  const body = `{"events":[${Array.from({ length: size }, () => `{${EVENT}}`).join(',')}]}`
  return async (send, serial) => {
    await send(post('/v1/events/ingest', body, { 'Idempotency-Key': serial }))
  }
}

const balance: Scenario['step'] = async (send) => {
  await send({ method: 'GET', path: '/v1/credits/balance' })
}

const check: Scenario['step'] = async (send) => {
  await send(post('/v1/entitlements/check', `{"feature_id":"chat",${ACTION}}`))
}

const calculate: Scenario['step'] = async (send) => {
  await send(post('/v1/rating/calculate', `{${MODEL}}`))
}

const holdAndCapture: Scenario['step'] = async (send) => {
  const opened = await send(post('/v1/holds', '{"feature_id":"chat","credits":20}'))
  if (opened.status >= 300) return
  const id = /"hold_id":"(\w+)"/.exec(opened.body)?.[1]
  if (id === undefined) throw new Error(`the response has no hold_id: ${opened.body}`)
  await send(post(`/v1/holds/${id}/capture`, `{"event":{${EVENT}},"final":true}`))
}

/**
 * The steps from which the mix chooses at random: in ten steps, five events, two balances, two checks, and a hold with
 * its capture.
 */
const MIX = [single, balance, single, check, single, holdAndCapture, single, balance, single, check] as const
const mix: Scenario['step'] = (send, serial) => {
  const step = MIX[Math.floor(Math.random() * MIX.length)] ?? single
  return step(send, serial)
}

function scenario(
  title: string,
  callers: number,
  step: Scenario['step'],
  { units = 1, customers = 1, quick = false, postgres = false }: Partial<Scenario> = {},
): Scenario {
  return { title, callers, step, units, customers, quick, postgres }
}

/** The scenarios, by the name that the options and the JSON report use. */
export const SCENARIOS = {
  single_c1: scenario('single event, 1 caller', 1, single, { quick: true, postgres: true }),
  single_c50: scenario('single event, 50 callers', 50, single, { quick: true, postgres: true }),
  single_c200: scenario('single event, 200 callers', 200, single, { quick: true, postgres: true }),
  single_random_c50: scenario('single event, random keys, 50 callers', 50, singleRandom),
  single_customers100: scenario('single event, 100 customers, 100 callers', 100, single, { customers: 100 }),
  batch100_c10: scenario('batch of 100, own keys, 10 callers', 10, batchOf(100), {
    units: 100,
    quick: true,
    postgres: true,
  }),
  batch100_key_c10: scenario('batch of 100, one key, 10 callers', 10, keyedBatchOf(100), {
    units: 100,
    quick: true,
  }),
  batch1000_c10: scenario('batch of 1,000, own keys, 10 callers', 10, batchOf(1000), {
    units: 1000,
    quick: true,
    postgres: true,
  }),
  batch1000_c50: scenario('batch of 1,000, own keys, 50 callers', 50, batchOf(1000), {
    units: 1000,
    postgres: true,
  }),
  balance_c50: scenario('balance, 50 callers', 50, balance, { quick: true, postgres: true }),
  check_c50: scenario('check, 50 callers', 50, check, { quick: true }),
  calculate_c50: scenario('calculate, 50 callers', 50, calculate, { quick: true }),
  hold_capture_c50: scenario('hold and capture, 50 callers', 50, holdAndCapture, { units: 2 }),
  mix_c50: scenario('mix, 50 callers', 50, mix),
} as const satisfies Readonly<Record<string, Scenario>>

export type ScenarioName = keyof typeof SCENARIOS

export function isScenarioName(name: string): name is ScenarioName {
  return Object.hasOwn(SCENARIOS, name)
}
