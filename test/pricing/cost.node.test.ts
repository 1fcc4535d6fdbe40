import { describe, expect, it } from 'vitest'
import { CATALOGUE_VERSION } from '../../src/pricing/catalogue/catalogue.ts'
import { formatUsd, picoUsd } from '../../src/pricing/money.ts'
import { linesOf, price, usd } from './support.ts'

describe('the example of the contract', () => {
  const result = price('OPENAI', 'gpt-4o', { input_tokens: 1000, output_tokens: 500 })

  it('costs 0.0075 USD, line by line', () => {
    expect(result).toMatchObject({
      kind: 'priced',
      cost: 7_500_000_000n,
      price_version: `${CATALOGUE_VERSION}:openai/gpt-4o`,
    })
    expect(linesOf(result)).toEqual([
      { unit: 'input_tokens', quantity: 1000, price_usd: '0.0000025', cost_usd: '0.0025' },
      { unit: 'output_tokens', quantity: 500, price_usd: '0.00001', cost_usd: '0.005' },
    ])
    expect(result).not.toHaveProperty('warnings')
  })

  it('is exact for a million small calls', () => {
    const one = price('openai', 'gpt-4o-mini', { input_tokens: 317, output_tokens: 211 })
    expect(one.kind === 'priced' && formatUsd(picoUsd(one.cost * 1_000_000n))).toBe('174.15')
  })
})

describe('each token is billed once, at its most specific price', () => {
  it.each([
    [
      'cached input at the cached price, the rest at the input price',
      'openai',
      'gpt-4o',
      { input_tokens: 1000, cache_read_tokens: 400, output_tokens: 0 },
      '0.002',
    ],
    [
      'reasoning without a price of its own as output',
      'openai',
      'o3',
      { input_tokens: 0, output_tokens: 1000, output_reasoning_tokens: 900 },
      '0.008',
    ],
    [
      'reasoning and citations with prices of their own',
      'perplexity',
      'sonar-deep-research',
      { input_tokens: 1000, output_tokens: 1000, output_reasoning_tokens: 500, output_citation_tokens: 300 },
      '0.0057',
    ],
    [
      'Anthropic cache reads and writes beside what is left of the input',
      'anthropic',
      'claude-opus-4-1',
      { input_tokens: 10_000, cache_read_tokens: 6000, cache_write_tokens: 3000, output_tokens: 100 },
      '0.08775',
    ],
    [
      'five-minute cache writes once, as cache writes',
      'anthropic',
      'claude-opus-4-1',
      { input_tokens: 1000, cache_write_tokens: 1000, cache_write_5m_tokens: 1000 },
      '0.01875',
    ],
    [
      'one-hour cache writes at their own price, not also as cache writes',
      'anthropic',
      'claude-opus-4-1',
      {
        input_tokens: 1000,
        cache_write_tokens: 1000,
        cache_write_5m_tokens: 400,
        cache_write_1h_tokens: 600,
      },
      '0.0255',
    ],
    [
      'audio in and out at audio prices',
      'openai',
      'gpt-audio',
      { input_tokens: 1000, input_audio_tokens: 600, output_tokens: 500, output_audio_tokens: 400 },
      '0.0468',
    ],
    [
      'cached audio at the price of cached audio',
      'google',
      'gemini-2.5-flash',
      {
        input_tokens: 1000,
        input_audio_tokens: 600,
        cache_read_tokens: 300,
        cache_audio_read_tokens: 200,
        output_tokens: 0,
      },
      '0.000513',
    ],
    [
      'cached image tokens at theirs',
      'openai',
      'gpt-image-1',
      {
        input_tokens: 1000,
        input_image_tokens: 800,
        cache_read_tokens: 500,
        cache_image_read_tokens: 400,
        output_tokens: 100,
      },
      '0.009625',
    ],
    [
      'image output tokens at theirs',
      'google',
      'gemini-2.5-flash-image',
      { input_tokens: 100, output_tokens: 1390, output_image_tokens: 1290 },
      '0.03898',
    ],
    [
      'tool prompts as input where they have no price',
      'google',
      'gemini-2.5-flash',
      { input_tokens: 1000, input_tool_tokens: 400, output_tokens: 10 },
      '0.000325',
    ],
    [
      'web searches beside the tokens',
      'anthropic',
      'claude-sonnet-4-5',
      { input_tokens: 1000, output_tokens: 100, web_searches: 3 },
      '0.0345',
    ],
    ['a fee per request, once', 'perplexity', 'sonar', { input_tokens: 1000, output_tokens: 1000 }, '0.014'],
    [
      'a fee per request, as often as reported',
      'perplexity',
      'sonar',
      { input_tokens: 1000, output_tokens: 1000, requests: 3 },
      '0.038',
    ],
    [
      'annotated pages instead of plain ones',
      'mistral',
      'mistral-ocr-2512',
      { input_document_pages: 10, input_annotated_document_pages: 4 },
      '0.024',
    ],
  ] as const)('%s', (_name, provider, model, usage, cost) => {
    expect(usd(provider, model, usage)).toBe(cost)
  })

  it('fills in a total that only its part implies', () => {
    expect(usd('openai', 'gpt-4o', { cache_read_tokens: 1000 })).toBe('0.00125')
    expect(usd('openai', 'o3', { output_reasoning_tokens: 1000 })).toBe('0.008')
  })

  it('assigns cached tokens to text before audio, if the response does not specify them', () => {
    const split = {
      input_tokens: 1000,
      input_text_tokens: 700,
      input_audio_tokens: 300,
      cache_read_tokens: 500,
    }
    expect(usd('google', 'gemini-2.5-flash', split)).toBe('0.000375')
    const mostlyAudio = { ...split, input_text_tokens: 100, input_audio_tokens: 900 }
    expect(usd('google', 'gemini-2.5-flash', mostlyAudio)).toBe('0.000543')
  })
})

describe('context tiers apply to the whole request, by total input', () => {
  it.each([
    ['anthropic', 'claude-sonnet-4-5', 'at 200,000 still the lower price', 200_000, '0.6'],
    ['anthropic', 'claude-sonnet-4-5', 'above 200,000 the higher price for everything', 200_001, '1.200006'],
    ['google', 'gemini-2.5-pro', 'at 200,000 still the lower price', 200_000, '0.25'],
    ['google', 'gemini-2.5-pro', 'above 200,000 the higher', 200_001, '0.5000025'],
    ['x-ai', 'grok-4.3', 'below 200,000 the lower price', 199_999, '0.24999875'],
    ['x-ai', 'grok-4.3', 'from 200,000 on the higher', 200_000, '0.5'],
    ['x-ai', 'grok-4.7', 'below 200,000 the lower price (other source)', 199_999, '0.399998'],
    ['x-ai', 'grok-4.7', 'from 200,000 on the higher (other source)', 200_000, '0.8'],
    ['minimax', 'minimax-m3', 'at 512,000 still the lower price', 512_000, '0.1536'],
  ])('%s %s: %s', (provider, model, _name, input_tokens, cost) => {
    expect(usd(provider, model, { input_tokens })).toBe(cost)
  })

  it('depend on input alone, cached or not, and change every price of the list', () => {
    const usage = { input_tokens: 200_001, cache_read_tokens: 200_001, output_tokens: 1000 }
    expect(usd('anthropic', 'claude-sonnet-4-5', usage)).toBe('0.1425006')
    const longAnswer = { input_tokens: 10, output_tokens: 300_000 }
    expect(usd('anthropic', 'claude-sonnet-4-5', longAnswer)).toBe('4.50003')
  })
})

describe('the time of the event decides', () => {
  it.each([
    ['o3 a second before its price fell', 'openai', 'o3', '2025-06-09T23:59:59Z', '0.01'],
    ['o3 from the second on', 'openai', 'o3', '2025-06-10T00:00:00Z', '0.002'],
    [
      'deepseek-chat a second before the peak hours',
      'deepseek',
      'deepseek-chat',
      '2025-06-01T00:29:59.999Z',
      '0.000135',
    ],
    [
      'deepseek-chat in the first second of them',
      'deepseek',
      'deepseek-chat',
      '2025-06-01T00:30:00Z',
      '0.00027',
    ],
    [
      'deepseek-chat in their last second',
      'deepseek',
      'deepseek-chat',
      '2025-06-01T16:29:59.999Z',
      '0.00027',
    ],
    ['deepseek-chat after them', 'deepseek', 'deepseek-chat', '2025-06-01T16:30:00Z', '0.000135'],
    [
      'deepseek-v4-flash before its dated price',
      'deepseek',
      'deepseek-v4-flash',
      '2026-08-16T15:59:59Z',
      '0.00014',
    ],
    [
      'deepseek-v4-flash from that day on',
      'deepseek',
      'deepseek-v4-flash',
      '2026-08-16T16:00:00Z',
      '0.00022',
    ],
    [
      'deepseek-v4-flash in its first peak',
      'deepseek',
      'deepseek-v4-flash',
      '2026-08-24T01:00:00Z',
      '0.00044',
    ],
    [
      'deepseek-v4-flash between its peaks',
      'deepseek',
      'deepseek-v4-flash',
      '2026-08-24T04:00:00Z',
      '0.00022',
    ],
    [
      'deepseek-v4-flash in its second peak',
      'deepseek',
      'deepseek-v4-flash',
      '2026-08-24T09:59:59Z',
      '0.00044',
    ],
    ['a time before 1970', 'openai', 'o3', '1969-12-31T23:59:59Z', '0.01'],
  ])('%s', (_name, provider, model, at, cost) => {
    expect(usd(provider, model, { input_tokens: 1000 }, { at })).toBe(cost)
  })

  it('drops a context tier on the day it ends', () => {
    const usage = { input_tokens: 300_000 }
    expect(usd('anthropic', 'claude-opus-4-6', usage, { at: '2026-03-12T23:59:59Z' })).toBe('3')
    expect(usd('anthropic', 'claude-opus-4-6', usage, { at: '2026-03-13T00:00:00Z' })).toBe('1.5')
  })

  it('names the period in the price version', () => {
    const result = price('openai', 'o3', { input_tokens: 1 }, { at: '2026-01-01T00:00:00Z' })
    expect(result).toMatchObject({ price_version: `${CATALOGUE_VERSION}:openai/o3@2025-06-10` })
  })
})

describe('service tiers and regions', () => {
  const usage = { input_tokens: 1000, cache_read_tokens: 200, output_tokens: 500 }

  it.each([
    ['openai', 'gpt-4o', { service_tier: 'batch' }, '0.003625'],
    ['openai', 'gpt-4o', { service_tier: 'BATCH' }, '0.003625'],
    ['openai', 'gpt-4o', { service_tier: 'priority' }, '0.012325'],
    ['openai', 'gpt-4o-mini', { service_tier: 'priority' }, '0.000725'],
    ['openai', 'gpt-5-mini', { service_tier: 'priority' }, '0.002169'],
    ['openai', 'o4-mini', { service_tier: 'flex' }, '0.0015675'],
    ['openai', 'gpt-4o', { service_tier: 'default' }, '0.00725'],
    ['anthropic', 'claude-sonnet-4-5', { service_tier: 'batch' }, '0.00498'],
    ['anthropic', 'claude-opus-4-6', { region: 'us' }, '0.01826'],
    ['anthropic', 'claude-opus-4-6', { region: 'us', service_tier: 'batch' }, '0.00913'],
    ['anthropic', 'claude-sonnet-4-5', { region: 'us' }, '0.00996'],
    ['google', 'gemini-2.5-flash', { service_tier: 'flex' }, '0.000748'],
    ['x-ai', 'grok-4.3', { region: 'us' }, '0.002519'],
  ])('%s %s %j', (provider, model, conditions, cost) => {
    expect(usd(provider, model, usage, conditions)).toBe(cost)
    expect(price(provider, model, usage, conditions)).not.toHaveProperty('warnings')
  })

  it('bills an unknown tier at list price, with a warning', () => {
    const result = price('openai', 'gpt-4o', usage, { service_tier: 'platinum' })
    expect(result).toMatchObject({
      kind: 'priced',
      cost: 7_250_000_000n,
      warnings: ['There is no price for service tier "platinum". The usage is billed at the list price.'],
    })
    expect(price('openai', 'gpt-4o', usage, { service_tier: 'flex' })).toMatchObject({
      cost: 7_250_000_000n,
      warnings: [expect.stringContaining('flex')],
    })
  })

  it('bills an unknown region at list price, with a warning where regions have prices', () => {
    expect(price('anthropic', 'claude-opus-4-6', usage, { region: 'mars' })).toHaveProperty('warnings')
    expect(price('groq', 'openai/gpt-oss-120b', usage, { region: 'us-east-1' })).not.toHaveProperty(
      'warnings',
    )
  })

  it('does not change fees for tools', () => {
    const search = { input_tokens: 1000, output_tokens: 0, web_searches: 1 }
    expect(usd('anthropic', 'claude-sonnet-4-5', search, { service_tier: 'batch' })).toBe('0.0115')
  })

  it('keeps compiled prices per model, for any number of invented names', () => {
    for (let i = 0; i < 1000; i++)
      price('openai', 'gpt-4o', usage, { service_tier: `tier-${i}`, image_size: `${i}` })
    expect(usd('openai', 'gpt-4o', usage)).toBe('0.00725')
  })
})

describe('images', () => {
  it.each([
    ['dall-e-3', {}, '0.04'],
    ['dall-e-3', { image_size: '1024x1024' }, '0.04'],
    ['dall-e-3', { image_size: '1024x1792', image_quality: 'standard' }, '0.08'],
    ['dall-e-3', { image_size: '1024x1024', image_quality: 'hd' }, '0.08'],
    ['dall-e-3', { image_size: '1792x1024', image_quality: 'HD' }, '0.12'],
    ['dall-e-3', { image_quality: 'hd' }, '0.08'],
    ['dall-e-2', { image_size: '256 × 256' }, '0.016'],
    ['gpt-image-1', { image_size: '1024x1536', image_quality: 'high' }, '0.25'],
    ['gpt-image-1', { image_quality: 'low' }, '0.011'],
    ['gpt-image-1', { image_size: 'auto', image_quality: 'auto' }, '0.042'],
  ])('openai %s %j', (model, conditions, cost) => {
    expect(usd('openai', model, { output_images: 1 }, conditions)).toBe(cost)
  })

  it('finds a class of sizes by pixels', () => {
    const images = { output_images: 2 }
    expect(usd('google', 'gemini-3-pro-image', images, { image_size: '4K' })).toBe('0.48')
    expect(usd('google', 'gemini-3-pro-image', images, { image_size: '5632x3072' })).toBe('0.48')
    expect(usd('google', 'gemini-3-pro-image', images, { image_size: '1344x768' })).toBe('0.268')
  })

  it('warns when a size or a quality has no price', () => {
    const result = price(
      'openai',
      'dall-e-3',
      { output_images: 1 },
      { image_size: '7x7', image_quality: 'best' },
    )
    expect(result).toMatchObject({ cost: 40_000_000_000n, warnings: [expect.stringContaining('best')] })
    const odd = price('openai', 'dall-e-3', { output_images: 1 }, { image_size: '7x7' })
    expect(odd).toMatchObject({ cost: 40_000_000_000n, warnings: [expect.stringContaining('7x7')] })
  })

  it('bills the tokens of an image, not the image as well', () => {
    const usage = { input_tokens: 50, output_tokens: 1290, output_image_tokens: 1290, output_images: 1 }
    const result = price('google', 'gemini-2.5-flash-image', usage)
    expect(result).toMatchObject({
      cost: 38_715_000_000n,
      warnings: [expect.stringContaining('output_images')],
    })
  })

  it('knows the providers that only make images', () => {
    const premium = { image_size: '1024x1024', image_quality: 'premium' }
    expect(usd('AMAZON', 'amazon.nova-canvas-v1:0', { output_images: 1 }, premium)).toBe('0.06')
    expect(usd('BLACK_FOREST_LABS', 'flux-pro-1.1', { output_images: 3 })).toBe('0.12')
    expect(usd('STABILITY_AI', 'stable-image-ultra', { output_images: 1 })).toBe('0.08')
    expect(usd('REPLICATE', 'black-forest-labs/flux-schnell', { output_images: 10 })).toBe('0.03')
  })
})

describe('seconds, characters, minimums', () => {
  it.each([
    ['openai', 'sora-2', { video_seconds: 8 }, '0.8'],
    ['google', 'veo-3.0-generate-001', { video_seconds: 8 }, '3.2'],
    ['RUNWAY', 'gen4_turbo', { video_seconds: 10 }, '0.5'],
    ['openai', 'whisper-1', { audio_seconds: 61.5 }, '0.00615'],
    ['openai', 'tts-1', { input_characters: 1234 }, '0.01851'],
    ['x-ai', 'grok-voice-transcribe-2.0', { audio_seconds: 3600 }, '0.1'],
    ['groq', 'whisper-large-v3', { audio_seconds: 3600 }, '0.111'],
    ['groq', 'whisper-large-v3', { audio_seconds: 10.000000001 }, '0.000308333333'],
    ['groq', 'whisper-large-v3', { audio_seconds: 0.5 }, '0.000308333333'],
    ['groq', 'whisper-large-v3', { input_audio_seconds: 3 }, '0.000308333333'],
    ['groq', 'whisper-large-v3', { audio_seconds: 0 }, '0'],
    ['openai', 'whisper-1', { audio_seconds: 0.1 }, '0.00001'],
  ] as const)('%s %s %j costs %s', (provider, model, usage, cost) => {
    expect(usd(provider, model, usage)).toBe(cost)
  })

  it('writes a price without an end to 18 decimals', () => {
    expect(linesOf(price('groq', 'whisper-large-v3', { audio_seconds: 30 }))).toMatchObject([
      { unit: 'audio_seconds', quantity: 30, price_usd: '0.000030833333333333', cost_usd: '0.000925' },
    ])
  })
})

describe('usage without a price', () => {
  it('is never priced silently', () => {
    expect(usd('openai', 'gpt-4o', { video_seconds: 5 })).toBe('no_price_for_usage')
    expect(price('openai', 'gpt-4o', { input_tokens: 1000, video_seconds: 5 })).toMatchObject({
      cost: 2_500_000_000n,
      warnings: ['video_seconds has no price and is not in the cost'],
    })
  })

  it('costs nothing if the provider charges nothing', () => {
    expect(usd('openrouter', 'openai/gpt-oss-20b:free', { input_tokens: 1000, output_tokens: 10 })).toBe('0')
    expect(usd('openai', 'gpt-4o', {})).toBe('0')
    expect(usd('openai', 'gpt-4o', { input_tokens: 0, output_tokens: 0 })).toBe('0')
  })
})

describe('quantities at the limits', () => {
  it('are exact at ten million million tokens', () => {
    expect(usd('openai', 'gpt-4o', { input_tokens: 1e13, cache_read_tokens: 9_999_999_999_999 })).toBe(
      '12500000.00000125',
    )
  })
})
