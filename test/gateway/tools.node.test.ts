import { describe, expect, it } from 'vitest'
import type { MeteredApi, MeteredEndpoint } from '../../src/gateway/dialect.ts'
import { readCall } from '../../src/gateway/request/call-request.ts'
import { type Pricing, pricesOfCall } from '../../src/gateway/request/prices.ts'
import { chargeOf } from '../../src/gateway/settlement.ts'
import { deliveredText, readingOf } from '../../src/gateway/stream/readings.ts'
import type { PricedEvent } from '../../src/ledger/model/vocabulary.ts'
import { microCredits, usdFromParts } from '../../src/pricing/money.ts'
import { pricingOfCall } from './pricings.ts'

/** Tests the hold and the charge of calls whose tools the provider runs. Costs are in millionths of a USD. */

type Body = Readonly<Record<string, unknown>>

const INPUT = { held: 1000, likely: 800 }

function pricingOf(api: MeteredApi, body: Body, provider = 'openai'): Pricing {
  const endpoint: MeteredEndpoint = { kind: 'metered', event_type: 'TOKEN_USAGE', api }
  const read = readCall(endpoint, body)
  if (read.kind === 'invalid') throw new Error(read.message)
  return pricingOfCall(endpoint, read.call, provider)
}

function costOf(event: PricedEvent | undefined): number {
  if (event?.charge.kind !== 'priced') throw new Error(`no price: ${JSON.stringify(event)}`)
  return Number(usdFromParts(event.charge.cost)) / 1e6
}

function held(body: Body, api: MeteredApi = 'responses', provider = 'openai') {
  const prices = pricesOfCall(pricingOf(api, body, provider), INPUT, 'none')
  if (prices.kind === 'refused') throw new Error(JSON.stringify(prices.refusal))
  return { most: costOf(prices.most), least: prices.least && costOf(prices.least) }
}

/** Returns the charge of a response that ended with the given lines of its stream, or with a whole response. */
function charged(pricing: Pricing, lines: readonly object[]) {
  const reading = readingOf(pricing.endpoint.api)
  for (const line of lines) reading.take(JSON.stringify(line))
  const { complete, delivered, model } = reading
  return chargeOf(
    { pricing, input: INPUT, held: microCredits(1_000_000_000), unrated: false },
    { reported: reading.reported(), complete, delivered, model, refused: false, why: 'client_gone' },
  )?.event
}

const GPT_5 = { model: 'gpt-5', input: 'Draw', stream: true, max_output_tokens: 100 }
/** 1,000 input tokens × 1.25 + 100 output tokens × 10. */
const HELD_TEXT = 2250
/** 800 input tokens × 1.25. */
const CHARGED_INPUT = 1000
const drawing = (tool: object = {}): Body => ({ ...GPT_5, tools: [{ type: 'image_generation', ...tool }] })

describe('the hold of a call with an image tool', () => {
  it.each([
    // The price of an image token is 40.
    ['at the requested size and quality', { quality: 'high', size: '1024x1024' }, 4160 * 40],
    ['in low quality', { quality: 'low', size: '1024x1536' }, 408 * 40],
    ['at the largest size and quality, if the provider chooses them', {}, 6240 * 40],
    ['with its previews', { quality: 'low', size: '1024x1024', partial_images: 3 }, (272 + 300) * 40],
    ['with at most three previews', { partial_images: 1e9 }, (6240 + 300) * 40],
    [
      'at the price of the named model',
      { model: 'gpt-image-1.5', quality: 'medium', size: '1024x1024' },
      1056 * 32,
    ],
    ['at the price of the default model, if the named one has none', { model: 'gpt-image-99' }, 6240 * 40],
  ])('includes an image %s', (_, tool, cost) => {
    expect(held(drawing(tool)).most).toBe(HELD_TEXT + cost)
  })

  it('includes an image for each tool', () => {
    const tools = [
      { type: 'image_generation' },
      { type: 'image_generation', quality: 'low', size: '1024x1024' },
    ]
    expect(held({ ...GPT_5, tools }).most).toBe(HELD_TEXT + (6240 + 272) * 40)
  })

  it('includes the image even if it is reduced to what the wallet can pay for', () => {
    const { max_output_tokens: _, ...unlimited } = drawing()
    // 1,000 input tokens × 1.25 + 1 output token × 10.
    expect(held(unlimited).least).toBe(1260 + 6240 * 40)
  })

  it('includes only text at a provider without a price for the image model', () => {
    const text = { ...GPT_5, model: 'deepseek-chat' }
    const body = { ...drawing(), ...text }
    expect(held(body, 'responses', 'deepseek')).toEqual(held(text, 'responses', 'deepseek'))
  })
})

it('the hold of a call that can search files includes five searches', () => {
  // A search costs 2,500.
  expect(held({ ...GPT_5, tools: [{ type: 'file_search' }] }).most).toBe(HELD_TEXT + 5 * 2500)
  const both = [{ type: 'file_search' }, { type: 'web_search' }]
  expect(held({ ...GPT_5, tools: both }).most).toBe(HELD_TEXT + 5 * 2500 + 5 * 10_000)
})

describe('the charge of a response with an image', () => {
  const item = { id: 'ig_1', type: 'image_generation_call', status: 'completed', result: 'A'.repeat(4000) }
  const done = { type: 'response.output_item.done', output_index: 0, item }
  const image_gen = {
    input_tokens: 27,
    input_tokens_details: { image_tokens: 0, text_tokens: 27 },
    output_tokens: 4160,
    output_tokens_details: { image_tokens: 4160, text_tokens: 0 },
  }
  const ended = (tools: readonly object[]) => ({
    type: 'response.completed',
    response: {
      model: 'gpt-5',
      tools,
      output: [item],
      usage: { input_tokens: 50, output_tokens: 20, total_tokens: 70 },
      tool_usage: { image_gen },
    },
  })

  it('is the reported usage of both models', () => {
    const pricing = pricingOf('responses', drawing())
    const event = charged(pricing, [done, ended([{ type: 'image_generation', model: 'gpt-image-1' }])])
    // 50 × 1.25 + 20 × 10 + 27 × 5 + 4,160 × 40.
    expect(costOf(event)).toBe(262.5 + 166_535)
    expect(event?.warnings).toBeUndefined()
  })

  it('is an image as requested, if the stream ends after it', () => {
    const pricing = pricingOf('responses', drawing({ quality: 'high', size: '1024x1024' }))
    const event = charged(pricing, [done])
    expect(costOf(event)).toBe(CHARGED_INPUT + 4160 * 40)
    expect(event).toMatchObject({ model: 'gpt-5', warnings: ['estimated', 'client_gone'] })
    expect(event?.usage).toMatchObject({ output_tokens: 4160, output_image_tokens: 4160 })
  })

  it('is an image of the default model, if a stored prompt contains the tool', () => {
    const prompt = { id: 'pmpt_1' }
    expect(costOf(charged(pricingOf('responses', { ...GPT_5, prompt }), [done]))).toBe(
      CHARGED_INPUT + 6240 * 40,
    )
  })

  it('is no image, if none was begun', () => {
    expect(costOf(charged(pricingOf('responses', drawing()), []))).toBe(CHARGED_INPUT)
  })

  it('is counted in a response without usage that is not a stream', () => {
    const text = JSON.stringify({ output: [item, { ...item, id: 'ig_2' }] })
    expect(deliveredText('openai', text).images).toBe(2)
  })
})

it('the input of an interrupted message is estimated, if the server reports it only at the end', () => {
  const body = { model: 'claude-sonnet-4-5', max_tokens: 100, stream: true }
  const started = (input_tokens: number) => {
    const usage = { input_tokens, output_tokens: 0 }
    return { type: 'message_start', message: { model: body.model, usage } }
  }
  const text = { type: 'content_block_delta', delta: { type: 'text_delta', text: 'x'.repeat(40) } }
  const input = (count: number) =>
    charged(pricingOf('messages', body, 'anthropic'), [started(count), text])?.usage
  expect(input(0)).toEqual({ input_tokens: INPUT.likely, output_tokens: 10 })
  expect(input(900)).toEqual({ input_tokens: 900, output_tokens: 10 })
})

it('file searches that were begun are charged, if the stream ends after them', () => {
  const pricing = pricingOf('responses', { ...GPT_5, tools: [{ type: 'file_search' }] })
  const begun = (item_id: string) => ({ type: 'response.file_search_call.in_progress', item_id })
  const lines = ['a', 'b', 'c', 'd', 'e'].map(begun)
  expect(costOf(charged(pricing, lines))).toBe(CHARGED_INPUT + 5 * 2500)
  expect(costOf(charged(pricing, []))).toBe(CHARGED_INPUT)
})

it('a response is charged everything that its own provider reports', () => {
  const costs = (provider: string, model: string, usage: object) => {
    const pricing = pricingOf('chat', { model, stream: true, max_tokens: 100 }, provider)
    const choices = [{ index: 0, delta: {}, finish_reason: 'stop' }]
    const event = charged(pricing, [{ object: 'chat.completion.chunk', model, choices, usage }])
    expect(event?.warnings).toBeUndefined()
    return costOf(event)
  }
  const counts = { prompt_tokens: 33, completion_tokens: 7_163, total_tokens: 7_196 }
  const research = { ...counts, citation_tokens: 20_016, num_search_queries: 18, reasoning_tokens: 73_997 }
  // 33 × 2 + 7,163 × 8 + 20,016 × 2 + 18 × 5,000 + 73,997 × 3.
  expect(costs('perplexity', 'sonar-deep-research', research)).toBe(409_393)
})

describe('a search model of chat completions', () => {
  const body = { model: 'gpt-4o-search-preview', stream: true, max_tokens: 100 }
  const chunk = (more: object) => ({
    object: 'chat.completion.chunk',
    model: body.model,
    choices: [],
    ...more,
  })

  it('has one search in its hold, or five if it has options', () => {
    // 1,000 input tokens × 2.5 + 100 output tokens × 10, and 25,000 for each search.
    expect(held(body, 'chat').most).toBe(3500 + 25_000)
    expect(held({ ...body, web_search_options: {} }, 'chat').most).toBe(3500 + 5 * 25_000)
  })

  it('is charged one search, also if the stream ends early', () => {
    const pricing = pricingOf('chat', body)
    const begun = chunk({ choices: [{ index: 0, delta: { content: 'News' }, finish_reason: null }] })
    const usage = { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 }
    expect(costOf(charged(pricing, [begun, chunk({ usage })]))).toBe(25 + 10 + 25_000)
    expect(costOf(charged(pricing, [begun]))).toBe(2000 + 10 + 25_000)
    expect(costOf(charged(pricing, []))).toBe(2000)
  })
})
