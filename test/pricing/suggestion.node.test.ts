import { describe, expect, it } from 'vitest'
import { describeModel, describeProvider } from '../../src/pricing/catalogue/description.ts'
import { suggestSaving } from '../../src/pricing/catalogue/suggestion.ts'
import { reportedCostWarning } from '../../src/pricing/extract/billing-context.ts'
import { mediaUsage } from '../../src/pricing/extract/media.ts'
import { picoUsd } from '../../src/pricing/money.ts'
import type { Usage } from '../../src/pricing/usage.ts'
import { provider, SOME_DAY_MS } from './support.ts'

function suggest(name: string, model: string, usage: Usage, others: { service_tier?: string } = {}) {
  return suggestSaving({ provider: provider(name), model, usage, at_ms: SOME_DAY_MS, ...others })
}

describe('suggesting a saving', () => {
  it('puts the same model first: half in a batch', () => {
    const result = suggest('openai', 'gpt-4o', { input_tokens: 1000, output_tokens: 500 })
    expect(result).toMatchObject({
      kind: 'suggestion',
      best: {
        kind: 'batch',
        suggested_model: 'gpt-4o',
        suggested_service_tier: 'batch',
        savings_percent: 50,
        provider_cost_usd: '0.00375',
      },
    })
    expect(result.kind === 'suggestion' && result.best.assumptions.length).toBeGreaterThan(0)
  })

  it('names a newer model of the same class, and a smaller one, after that', () => {
    const result = suggest('anthropic', 'claude-opus-4-1', { input_tokens: 500, output_tokens: 500 })
    const others =
      result.kind === 'suggestion' ? result.others.map(({ suggested_model }) => suggested_model) : []
    expect(others[0]).toMatch(/^claude-opus-/)
    expect(others[1]).toMatch(/^claude-haiku-/)
  })

  it('offers the cache only where there is something to cache', () => {
    const kinds = (usage: Usage) => {
      const result = suggest('anthropic', 'claude-sonnet-4-5', usage)
      return result.kind === 'suggestion' ? [result.best, ...result.others].map(({ kind }) => kind) : []
    }
    expect(kinds({ input_tokens: 5000, output_tokens: 10 })).toContain('cache')
    expect(kinds({ input_tokens: 500, output_tokens: 10 })).not.toContain('cache')
    expect(kinds({ input_tokens: 5000, cache_read_tokens: 4000, output_tokens: 10 })).not.toContain('cache')
  })

  it('does not change a chosen service tier', () => {
    const result = suggest(
      'openai',
      'gpt-4o',
      { input_tokens: 1000, output_tokens: 500 },
      { service_tier: 'priority' },
    )
    const all = result.kind === 'suggestion' ? [result.best, ...result.others] : []
    expect(all.map(({ kind }) => kind)).not.toContain('batch')
  })

  it('suggests only what the request fits into', () => {
    const result = suggest('openai', 'gpt-4.1', { input_tokens: 900_000, output_tokens: 1000 })
    const all = result.kind === 'suggestion' ? [result.best, ...result.others] : []
    for (const { suggested_model } of all) {
      expect(describeModel(provider('openai'), suggested_model, SOME_DAY_MS)?.context_window).toBeGreaterThan(
        901_000,
      )
    }
    const audio = suggest('openai', 'gpt-audio', {
      input_tokens: 100,
      input_audio_tokens: 90,
      output_tokens: 10,
    })
    const models = audio.kind === 'suggestion' ? [audio.best, ...audio.others] : []
    for (const { suggested_model } of models) expect(suggested_model).toContain('audio')
  })

  it('returns the reason for no suggestion', () => {
    expect(suggest('openai', 'dall-e-3', { output_images: 1 })).toEqual({
      kind: 'none',
      reason: expect.stringContaining('no cheaper alternative'),
    })
    expect(suggest('openai', 'gpt-none', { input_tokens: 1 })).toEqual({
      kind: 'none',
      reason: expect.stringContaining('no price'),
    })
    expect(suggest('openai', 'gpt-4o', {})).toEqual({
      kind: 'none',
      reason: expect.stringContaining('costs nothing'),
    })
  })
})

describe('short forms of media', () => {
  it('are usage', () => {
    expect(mediaUsage({ event_type: 'IMAGE_GENERATION', image_count: 3 })).toEqual({ output_images: 3 })
    expect(mediaUsage({ event_type: 'VIDEO_GENERATION', duration_seconds: 8 })).toEqual({ video_seconds: 8 })
    expect(mediaUsage({ event_type: 'AUDIO_PROCESSING', duration_seconds: 1.5 })).toEqual({
      audio_seconds: 1.5,
    })
    expect(mediaUsage({ duration_seconds: 8 }, new Set(['video_seconds']))).toEqual({ video_seconds: 8 })
    expect(mediaUsage({ duration_seconds: 8 })).toEqual({ audio_seconds: 8 })
    expect(mediaUsage({})).toEqual({})
  })
})

describe('a cost that a gateway reports', () => {
  it('causes a warning when it differs by more than one per cent', () => {
    expect(reportedCostWarning(picoUsd(1_000_000_000_000n), '1.01')).toBeUndefined()
    expect(reportedCostWarning(picoUsd(1_000_000_000_000n), '1.011')).toMatch(
      /reports a cost of 1.011 USD.*price list is 1 USD.*1.1 %/,
    )
    expect(reportedCostWarning(picoUsd(0n), '0.5')).toMatch(/0.5 USD/)
    expect(reportedCostWarning(picoUsd(1_000_000n), 'free')).toBeUndefined()
  })
})

describe('describing prices', () => {
  it('returns the price of one unit, with tiers and sizes', () => {
    expect(describeModel(provider('anthropic'), 'claude-sonnet-4-5', SOME_DAY_MS)).toMatchObject({
      provider: 'anthropic',
      model: 'claude-sonnet-4-5',
      context_window: 200_000,
      prices: expect.arrayContaining([
        {
          unit: 'input_tokens',
          price_usd: '0.000003',
          tiers: [{ threshold: 200_000, inclusive: false, price_usd: '0.000006' }],
        },
        { unit: 'web_searches', price_usd: '0.01' },
      ]),
    })
    const images = describeModel(provider('openai'), 'dall-e-2', SOME_DAY_MS)
    expect(images?.prices[0]?.sizes).toContainEqual({ size: '256x256', price_usd: '0.016' })
    expect(describeModel(provider('openai'), 'gpt-none', SOME_DAY_MS)).toBeUndefined()
    expect(describeProvider(provider('openai'), SOME_DAY_MS).length).toBeGreaterThan(90)
  })
})
