import { describe, expect, it } from 'vitest'
import type { PricedEvent } from '../../src/ledger/model/vocabulary.ts'
import { NO_OVERLAYS } from '../../src/pricing/cost/price-book.ts'
import { formatUsd, usdFromParts } from '../../src/pricing/money.ts'
import { costOf } from '../../src/rating/calculate.ts'
import { type EventInput, priceEvent } from '../../src/rating/event.ts'

/** Tests the price of usage that a response reports in `tool_usage`, besides the usage of its own model. */

const NOW_MS = Date.parse('2026-11-22T12:00:00Z')

type Body = Readonly<Record<string, unknown>>

const OWN = { input_tokens: 50, output_tokens: 20 }
/** In millionths of a USD: 50 input × 1.25 + 20 output × 10. */
const OWN_USD = '0.0002625'
const image = (input: number, output: number, more: object = {}) => ({
  input_tokens: input,
  input_tokens_details: { image_tokens: 0, text_tokens: input },
  output_tokens: output,
  output_tokens_details: { image_tokens: output, text_tokens: 0 },
  total_tokens: input + output,
  ...more,
})
const ofModel = (model?: string) => [{ type: 'function' }, { type: 'image_generation', model }]

function response(tool_usage: object | undefined, tools: readonly object[] = ofModel('gpt-image-1')): Body {
  return {
    object: 'response',
    model: 'gpt-5',
    output: [{ type: 'image_generation_call', result: 'AAAA' }, { type: 'message' }],
    tools,
    usage: { ...OWN, total_tokens: 70 },
    ...(tool_usage && { tool_usage }),
  }
}

const inputOf = (provider_response: Body, more: object = {}): EventInput => ({
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'openai',
  provider_response,
  ...more,
})

function priced(body: Body, more: object = {}): PricedEvent {
  const result = priceEvent(inputOf(body, more), 'cust_1', NOW_MS, NO_OVERLAYS)
  if (result.kind === 'refused') throw new Error(JSON.stringify(result.refusal))
  return result.event
}

/** Returns the cost in USD, or the kind of the charge if the event has no price. */
function usd({ charge }: PricedEvent): string {
  return charge.kind === 'priced' ? formatUsd(usdFromParts(charge.cost)) : charge.kind
}

describe('the image tool of the Responses API', () => {
  it.each([
    // In millionths of a USD: 27 text input × 5 + 4,160 image output × 40.
    ['of the model in the list of tools', image(27, 4160), ofModel('gpt-image-1'), '0.166535'],
    ['of a dated model', image(27, 4160), ofModel('gpt-image-1-2025-04-23'), '0.166535'],
    ['of the default model', image(27, 4160), [], '0.166535'],
    ['of the default model, if the tool names none', image(27, 4160), ofModel(), '0.166535'],
    // 27 × 5 + 1,056 × 32.
    ['of another model', image(27, 1056), ofModel('gpt-image-1.5'), '0.033927'],
    [
      // 298 text input × 5 + 7,620 image input × 8 + 186 output × 30.
      'with images as input',
      image(7918, 186, { input_tokens_details: { image_tokens: 7620, text_tokens: 298 } }),
      ofModel('gpt-image-2'),
      '0.06803',
    ],
    ['without details', { input_tokens: 27, output_tokens: 4160 }, ofModel(), '0.166535'],
  ] as const)('has the price of its image model: %s', (_, image_gen, tools, cost) => {
    const event = priced(response({ image_gen, web_search: { num_requests: 0 } }, tools))
    const sum = Number(OWN_USD) + Number(cost)
    expect(Number(usd(event))).toBeCloseTo(sum, 12)
    expect(event.model).toBe('gpt-5')
    expect(event.usage).toMatchObject({
      input_tokens: 50 + image_gen.input_tokens,
      output_tokens: 20 + image_gen.output_tokens,
    })
    expect(event.warnings).toBeUndefined()
  })

  it('is read in the last event of a stream', () => {
    const last = { type: 'response.completed', response: response({ image_gen: image(27, 4160) }) }
    expect(usd(priced(last))).toBe('0.1667975')
    expect(usd(priced(last, { provider_api: 'responses' }))).toBe('0.1667975')
  })

  it('is not replaced by explicit usage, which is that of the own model', () => {
    const event = priced(response({ image_gen: image(27, 4160) }), { output_tokens: 0 })
    expect(usd(event)).toBe('0.1665975')
    expect(event.usage).toMatchObject({ input_tokens: 77, output_tokens: 4160 })
  })

  it('is in a calculation as lines of the image model', () => {
    const body = response({ image_gen: image(27, 4160) })
    const input = { provider: 'openai', feature_id: 'chat', provider_response: body, explain: true }
    const costed = costOf(input, NOW_MS, NO_OVERLAYS)
    if (costed.kind !== 'costed') throw new Error(JSON.stringify(costed))
    expect(formatUsd(costed.cost.cost)).toBe('0.1667975')
    expect(costed.cost.breakdown()).toMatchObject([
      { unit: 'input_tokens', quantity: 50 },
      { unit: 'output_tokens', quantity: 20 },
      { unit: 'input_tokens', model: 'gpt-image-1', quantity: 27 },
      { unit: 'output_tokens', model: 'gpt-image-1', quantity: 4160 },
    ])
    expect(costed.explain?.read_from('output_tokens')).toBe(
      'provider_response.usage.output_tokens + provider_response.tool_usage.image_gen.output_tokens',
    )
  })

  it('leaves an event without a price, with a warning, if its image model has none', () => {
    const event = priced(response({ image_gen: image(27, 4160) }, ofModel('gpt-image-99')))
    expect(event).toMatchObject({ charge: { kind: 'unpriced' }, usage: OWN })
    expect(event.warnings).toEqual([
      'unread_usage: the usage of gpt-image-99 is not recorded; this usage is not in the cost',
    ])
  })

  it.each([
    ['no report', undefined],
    ['a report of zeros', { image_gen: image(0, 0) }],
  ])('is named in a warning if an image has %s', (_, tool_usage) => {
    const event = priced(response(tool_usage))
    expect(usd(event)).toBe(OWN_USD)
    expect(event.warnings).toEqual([
      'unread_usage: 1 generated image was used; this usage is not in the cost',
    ])
  })

  it.each([
    ['an unknown tool', { voice: { seconds: 4 } }, 'tool_usage.voice.seconds is 4'],
    ['an unknown number', { image_gen: { ...image(27, 4160), frames: 2 } }, 'image_gen.frames is 2'],
    ['an invalid number', { image_gen: image(27, 4160, { output_tokens: 1.5 }) }, 'output_tokens is 1.5'],
  ])('names what it does not read: %s', (_, tool_usage, text) => {
    expect(priced(response(tool_usage)).warnings).toContainEqual(expect.stringContaining(text))
  })
})

describe('the web searches of tool_usage', () => {
  const searches = { web_search: { num_requests: 2 } }
  it('are those of the output, if the response has it', () => {
    const output = [{ type: 'web_search_call', action: { type: 'search' } }]
    const event = priced({ ...response(searches), output })
    expect(event.usage).toMatchObject({ web_searches: 1 })
    expect(event.warnings).toBeUndefined()
  })

  it('are counted without an output', () => {
    const event = priced({ model: 'gpt-5', usage: OWN, tool_usage: searches })
    expect(event.usage).toMatchObject({ web_searches: 2 })
    // A search costs 0.01 USD.
    expect(usd(event)).toBe('0.0202625')
  })
})

describe('a search model of chat completions', () => {
  const completion = (model: string, more: object = {}): Body => ({
    object: 'chat.completion',
    model,
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, ...more },
  })
  it.each([
    ['gpt-4o-search-preview-2025-03-11', '0.025'],
    ['gpt-5-search-api', '0.01'],
    ['gpt-5', '0'],
  ])('searches once for each completion: %s', (model, cost) => {
    expect(usd(priced(completion(model)))).toBe(cost)
  })

  it('is recognized by its choices, but not by a usage part alone', () => {
    const { object: _, ...part } = completion('gpt-4o-search-preview')
    expect(usd(priced({ ...part, choices: [] }))).toBe('0.025')
    expect(usd(priced(part))).toBe('0')
  })

  it('has the searches that the usage reports instead', () => {
    const server_tool_use = { web_search_requests: 3 }
    expect(usd(priced(completion('gpt-4o-search-preview', { server_tool_use })))).toBe('0.075')
  })
})
