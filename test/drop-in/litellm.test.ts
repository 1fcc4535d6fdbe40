import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { storedOf } from '../support/belongings.ts'
import { type Json, listed, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

let made = 0

/** Returns a StandardLoggingPayload as LiteLLM sends it: Python's None is null. */
function payload(fields: Json = {}, usage: Json = {}): Json {
  made += 1
  const usage_object = {
    ...{ completion_tokens: 500, prompt_tokens: 1000, total_tokens: 1500 },
    completion_tokens_details: {
      accepted_prediction_tokens: 0,
      audio_tokens: 0,
      reasoning_tokens: 0,
      rejected_prediction_tokens: 0,
      text_tokens: null,
    },
    prompt_tokens_details: { audio_tokens: 0, cached_tokens: 0, text_tokens: null, image_tokens: null },
    ...usage,
  }
  const now_s = Date.now() / 1000
  return {
    id: `chatcmpl-${made}`,
    trace_id: 'f2b1',
    call_type: 'acompletion',
    cache_hit: null,
    stream: false,
    status: 'success',
    custom_llm_provider: 'openai',
    saved_cache_cost: 0,
    startTime: now_s - 2,
    endTime: now_s - 1,
    completionStartTime: now_s - 1,
    response_time: 1,
    model: 'gpt-4o',
    metadata: {
      user_api_key_hash: '88dc',
      user_api_key_alias: 'backend',
      user_api_key_team_id: null,
      user_api_key_user_id: 'default_user_id',
      user_api_key_end_user_id: null,
      usage_object,
    },
    response_cost: 99.5,
    total_tokens: 1500,
    prompt_tokens: 1000,
    completion_tokens: 500,
    request_tags: [],
    end_user: 'zoe',
    api_base: 'https://api.openai.com',
    model_group: 'gpt-4o',
    messages: [{ role: 'user', content: CANARY }],
    response: { id: 'x', choices: [{ message: { content: CANARY } }], usage: usage_object },
    model_parameters: { temperature: 1 },
    error_str: null,
    ...fields,
  }
}

const CANARY = 'canary-77aa'

async function sent(key: string, body: unknown, headers: Record<string, string> = {}): Promise<Json> {
  const response = await api('/litellm/events', { key, body, headers })
  expect(response.status, await response.clone().text()).toBe(200)
  return jsonOf(response)
}

async function newKey(): Promise<string> {
  return (await createCustomer()).api_key
}

describe('a call that LiteLLM logs', () => {
  it('is billed for its end user, with the key and the team, at the price of its provider', async () => {
    const key = await newKey()
    const team = { user_api_key_alias: 'backend', user_api_key_team_id: 'red' }
    const body = [payload(), payload({ end_user: '', metadata: { ...team, user_api_key_user_id: 'kim' } })]
    expect(await sent(key, body)).toEqual({ accepted: 2, duplicates: 0, rejected: 0, ignored: 0, errors: [] })
    const [second, first] = await listed(key, '/v1/events')
    expect(first).toMatchObject({
      ...{ feature_id: 'litellm', user_id: 'zoe', provider: 'OPENAI', model: 'gpt-4o', credits_burned: 15 },
      metadata: { litellm_key: 'backend' },
    })
    expect(first?.warnings ?? []).toEqual([])
    expect(second).toMatchObject({ user_id: 'kim', team_id: 'red', credits_burned: 15 })
  })

  it.each(['a list', 'one entry', 'one entry per line'] as const)('arrives as %s', async (form) => {
    const key = await newKey()
    const entries = [payload(), payload()]
    const lines = `${entries.map((entry) => JSON.stringify(entry)).join('\n')}\n`
    const bodies = { 'a list': entries, 'one entry': entries[0], 'one entry per line': lines }
    expect(await sent(key, bodies[form])).toMatchObject({ accepted: form === 'one entry' ? 1 : 2 })
  })

  it('is billed once, even if it is logged several times', async () => {
    const key = await newKey()
    const entry = payload()
    await sent(key, [entry])
    expect(await sent(key, [entry, entry])).toMatchObject({ accepted: 0, duplicates: 2 })
  })

  it.each<[string, Json]>([
    ['failed_call', { status: 'failure', error_str: 'RateLimitError' }],
    ['cache_hit', { cache_hit: true }],
  ])('costs nothing as a %s', async (reason, fields) => {
    const key = await newKey()
    expect(await sent(key, [payload(fields)])).toMatchObject({ accepted: 0, rejected: 0, ignored: 1 })
    expect(await listed(key, '/v1/events')).toEqual([])
    expect((await read(key, '/v1/drop-in')).litellm).toMatchObject({ ignored: { [reason]: 1 } })
  })

  it.each<[string, Json, Json, Json]>([
    [
      "OpenAI's cached tokens, which are inside the prompt",
      {},
      { prompt_tokens_details: { cached_tokens: 400 } },
      { credits_burned: 14, usage: { input_tokens: 1000, cache_read_tokens: 400, output_tokens: 500 } },
    ],
    [
      "Anthropic's cache, which LiteLLM adds to the prompt",
      { custom_llm_provider: 'anthropic', model: 'claude-sonnet-4-5-20250929' },
      {
        prompt_tokens: 1000,
        cache_creation_input_tokens: 300,
        cache_read_input_tokens: 200,
        prompt_tokens_details: { cached_tokens: 200 },
      },
      {
        provider: 'ANTHROPIC',
        usage: { input_tokens: 1000, cache_write_tokens: 300, cache_read_tokens: 200, output_tokens: 500 },
      },
    ],
    [
      "Gemini's thoughts, which LiteLLM counts as output",
      { custom_llm_provider: 'vertex_ai', model: 'gemini-2.5-pro' },
      { completion_tokens_details: { reasoning_tokens: 100 } },
      { provider: 'GOOGLE', usage: { input_tokens: 1000, output_tokens: 500, output_reasoning_tokens: 100 } },
    ],
    [
      'images of the Responses API, at the price of their model',
      {
        response: {
          tools: [{ type: 'function' }, { type: 'image_generation', model: 'gpt-image-1' }],
          tool_usage: { image_gen: { input_tokens: 0, output_tokens: 1000 } },
        },
      },
      {},
      { model: 'gpt-4o', credits_burned: 95, usage: { input_tokens: 1000, output_tokens: 1500 } },
    ],
    [
      'Bedrock, with its provider in the name of the model',
      { custom_llm_provider: 'bedrock', model: 'bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0' },
      {},
      { provider: 'AMAZON', model: 'anthropic.claude-3-5-sonnet-20241022-v2:0' },
    ],
  ])('is billed for %s', async (_, fields, usage, expected) => {
    const key = await newKey()
    expect(await sent(key, [payload(fields, usage)])).toMatchObject({ accepted: 1, errors: [] })
    const [event] = await listed(key, '/v1/events')
    expect(event).toMatchObject(expected)
    expect(event?.credits_burned).toBeGreaterThan(0)
    expect(event?.warnings ?? []).toEqual([])
  })

  it.each<[string, Json, string]>([
    ['without an id', { id: null }, 'unreadable'],
    ['without a provider', { custom_llm_provider: null }, 'no_provider'],
    ['without a model', { model: '' }, 'no_model'],
    [
      'without usage',
      { metadata: {}, response: 'redacted-by-litellm', prompt_tokens: 0, completion_tokens: 0 },
      'no_usage',
    ],
    ['of an unknown provider', { custom_llm_provider: 'hosted_vllm' }, 'unknown_provider'],
  ])('is rejected %s, with 200 and the reason', async (_, fields, code) => {
    const key = await newKey()
    expect(await sent(key, [payload(), payload(fields)])).toMatchObject({
      accepted: 1,
      rejected: 1,
      errors: [{ index: 1, code }],
    })
    expect((await read(key, '/v1/drop-in')).litellm).toMatchObject({ rejected: { [code]: 1 } })
  })

  it('is stored without its prompt and completion', async () => {
    const { api_key, customer_id } = await createCustomer()
    expect(JSON.stringify(await sent(api_key, [payload()]))).not.toContain(CANARY)
    expect(await storedOf(customer_id)).not.toContain(CANARY)
  })
})

it('a body that is no log is a 400, and counted', async () => {
  const key = await newKey()
  for (const body of ['5', '{"a":1}\n{', '']) {
    expect((await api('/litellm/events', { key, body })).status, body).toBe(400)
  }
  expect((await read(key, '/v1/drop-in')).litellm).toMatchObject({ rejected: { unreadable: 3 } })
})

it('invalid entries are rejected alone', async () => {
  const key = await newKey()
  expect(await sent(key, [null, 5, [], payload()])).toMatchObject({ accepted: 1, rejected: 3 })
})
