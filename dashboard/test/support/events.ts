import { api } from './browser.ts'

const MODELS = [
  ['OPENAI', 'gpt-4o'],
  ['OPENAI', 'gpt-4o-mini'],
  ['ANTHROPIC', 'claude-sonnet-4-5'],
  ['GOOGLE', 'gemini-2.5-pro'],
] as const
const USERS = ['ada', 'mia', 'tom'] as const
const FEATURES = ['chat', 'search', 'summaries'] as const
const DAY_MS = 86_400_000

/** Burns events of several models, users and days, and waits until the analytics count them. */
export async function useOfModels(key: string, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, i) => ({
    event_type: 'TOKEN_USAGE',
    feature_id: FEATURES[i % 3],
    user_id: USERS[(i >> 1) % 3],
    provider: MODELS[i % 4]?.[0],
    model: MODELS[i % 4]?.[1],
    input_tokens: 101 + ((i * 7_919) % 5_003),
    output_tokens: 1 + ((i * 104_729) % 1_009),
    timestamp: new Date(Date.now() - (i % 25) * DAY_MS).toISOString(),
  }))
  await api('POST', '/v1/events/ingest', { key, body: { events } })
  await counted(key, count)
}

const COUNTED_WITHIN_MS = 30_000

/**
 * Waits until the analytics count this number of events in 30 days. Analytics are delayed by the flush and the queue.
 */
export async function counted(key: string, events: number, within_ms = COUNTED_WITHIN_MS): Promise<void> {
  for (const deadline = Date.now() + within_ms; Date.now() < deadline; ) {
    const answer = await api('GET', '/v1/analytics/usage', { key })
    if (Object(answer).totals.events === String(events)) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`the analytics do not count ${events} events within ${within_ms} ms`)
}
