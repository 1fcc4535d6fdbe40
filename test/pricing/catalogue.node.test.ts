import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { calcPrice } from '@pydantic/genai-prices'
import { allPricing } from 'ai-sdk-cost-calculator'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildCatalogue } from '../../scripts/catalog/catalogue.ts'
import { MEDIA_PROVIDERS } from '../../scripts/catalog/media-prices.ts'
import { decimal } from '../../scripts/catalog/notation.ts'
import { PROVIDERS } from '../../scripts/catalog/overlay.ts'
import { tokenPriceProviders } from '../../scripts/catalog/token-prices.ts'
import {
  allModels,
  allProviders,
  CATALOGUE_VERSION,
  findMatch,
  findModel,
  findProvider,
  nearestModels,
  nearestProviders,
} from '../../src/pricing/catalogue/catalogue.ts'
import { plainName } from '../../src/pricing/catalogue/modifiers.ts'
import { exactUsd, price, provider } from './support.ts'

type TokenProviders = Awaited<ReturnType<typeof tokenPriceProviders>>

let tokenProviders: TokenProviders = []
beforeAll(async () => {
  tokenProviders = await tokenPriceProviders()
})

const committed = readFileSync(join(import.meta.dirname, '../../src/pricing/catalogue.json'), 'utf8')

describe('the committed catalogue', () => {
  it('is built from the packages and the overlay, with the same bytes every time', async () => {
    const { text: built } = await buildCatalogue()
    expect(built === committed, 'run npm run catalog').toBe(true)
    expect((await buildCatalogue()).text === built).toBe(true)
  })

  it('is small enough to ship: at most 60 KB gzip', () => {
    const bytes = gzipSync(committed, { level: 9 }).length
    console.log(`catalogue: ${(bytes / 1024).toFixed(1)} KB gzip`)
    expect(bytes).toBeLessThanOrEqual(60 * 1024)
  })

  it('is named by its digest', () => {
    expect(CATALOGUE_VERSION).toMatch(/^[0-9a-f]{10}$/)
    expect(committed).toContain(`"digest": "${CATALOGUE_VERSION}`)
  })
})

/**
 * Reports whether the overlay corrects the prices of a source's model. The overlay states the source of each
 * correction.
 */
function isCorrected(id: string, model: string): boolean {
  const { models = [], amendments = [] } = PROVIDERS[id] ?? {}
  return models.some((one) => one.id === model) || amendments.some((one) => one.models.includes(model))
}

describe('the packages are included completely', () => {
  it('has every provider and every model of the token prices, in order', () => {
    expect(tokenProviders.length).toBe(43)
    for (const { id, models } of tokenProviders) {
      const ours = allModels(provider(id)).map((model) => model.id)
      expect(ours.slice(0, models.length)).toEqual(models.map((model) => model.id))
    }
  })

  it('finds every model of the media prices at its provider', () => {
    const missing = Object.entries(allPricing).flatMap(([theirs, models]) =>
      Object.keys(models).filter(
        (model) => findModel(provider(MEDIA_PROVIDERS[theirs] ?? ''), model) === undefined,
      ),
    )
    expect(missing).toEqual([])
  })

  it('has every price for images, seconds and characters of the media prices', () => {
    const units = {
      imageGenerationPerImage: 'output_images',
      videoGenerationPerSecond: 'video_seconds',
      speechPer1MCharacters: 'input_characters',
      transcriptionPerMinute: 'audio_seconds',
    } as const
    const missing = Object.entries(allPricing).flatMap(([theirs, models]) =>
      Object.entries(models).flatMap(([model, pricing]) =>
        Object.entries(units)
          .filter(([field, unit]) => {
            if (!(field in pricing)) return false
            return price(MEDIA_PROVIDERS[theirs] ?? '', model, { [unit]: 1 }).kind !== 'priced'
          })
          .map(([field]) => `${theirs} ${model} ${field}`),
      ),
    )
    expect(missing).toEqual([])
  })

  it('has every provider of the hand-kept overlay', () => {
    for (const id of Object.keys(PROVIDERS)) expect(findProvider(id)?.id).toBe(id)
  })

  it('prices every model of the token source as its own package does, until the day of the lists', () => {
    const wrong: string[] = []
    let compared = 0
    for (const { id, models } of tokenProviders) {
      for (const model of models) {
        if (isCorrected(id, model.id)) continue
        for (const at of ['2024-01-01T00:00:00Z', '2026-03-13T02:30:00Z', '2026-11-19T12:00:00Z']) {
          for (const usage of [
            { input_tokens: 1234, output_tokens: 567, cache_read_tokens: 100, cache_write_tokens: 34 },
            { input_tokens: 600_001, output_tokens: 99, input_audio_tokens: 0 },
            { input_tokens: 200_000, output_tokens: 10, cache_write_tokens: 500, cache_write_1h_tokens: 200 },
          ]) {
            // The package has the price of one-hour cache writes only for Anthropic itself, so resellers are not
            // compared.
            if ('cache_write_1h_tokens' in usage && id !== 'anthropic' && /claude/.test(model.id)) continue
            const theirs = calcPrice(usage, model.id, { providerId: id, timestamp: new Date(at) })
            const ours = price(id, model.id, usage, { at })
            if (theirs === null || ours.kind !== 'priced') {
              if (theirs !== null && theirs.total_price > 0) wrong.push(`${id} ${model.id}: ${ours.kind}`)
              continue
            }
            compared += 1
            const difference = Math.abs(exactUsd(ours.cost).valueOf() - theirs.total_price)
            if (difference > 1e-9 + theirs.total_price * 1e-9)
              wrong.push(`${id} ${model.id} ${at}: ${difference}`)
          }
        }
      }
    }
    expect(wrong).toEqual([])
    expect(compared).toBeGreaterThan(14_000)
  })
})

describe('decimals', () => {
  it.each([
    [0.18000000000000002, '0.18'],
    [0.0016666666666666668 * 60, '0.1'],
    [3e-7, '0.0000003'],
    [0.08333333333333334, '0.0833333333333'],
    [120, '120'],
    [0, '0'],
    [1234.5, '1234.5'],
  ])('%f is written as %s', (value, text) => {
    expect(decimal(value)).toBe(text)
  })
})

describe('finding a provider', () => {
  it.each([
    ['OPENAI', 'openai'],
    ['ANTHROPIC', 'anthropic'],
    ['GOOGLE', 'google'],
    ['COHERE', 'cohere'],
    ['MISTRAL', 'mistral'],
    ['STABILITY_AI', 'stability-ai'],
    ['RUNWAY', 'runway'],
    ['REPLICATE', 'replicate'],
    ['AMAZON', 'aws'],
    ['BLACK_FOREST_LABS', 'black-forest-labs'],
    ['Open_AI', 'openai'],
    ['xai', 'x-ai'],
    ['X_AI', 'x-ai'],
    ['Bedrock', 'aws'],
    ['vertex_ai', 'google'],
    ['azure-openai', 'azure'],
    ['openai.responses', 'openai'],
    ['huggingface_fireworks-ai', 'huggingface_fireworks-ai'],
    ['workers-ai', 'cloudflare'],
  ])('%s is %s', (name, id) => {
    expect(findProvider(name)?.id).toBe(id)
  })

  it.each(['NOPE', 'zzz', 'x', 'acme-models', '-', 'x'.repeat(255)])('suggests nothing for %s', (name) => {
    expect(nearestProviders(name)).toEqual([])
  })

  it('refuses others and names the nearest ones', () => {
    expect(findProvider('opnai')).toBeUndefined()
    expect(nearestProviders('opnai')[0]).toBe('openai')
    expect(nearestProviders('antropic')[0]).toBe('anthropic')
    expect(nearestProviders('Open AI Inc')[0]).toBe('openai')
    expect(findProvider('')).toBeUndefined()
    expect(findProvider('__proto__')).toBeUndefined()
  })

  it('gives no name to two providers', () => {
    const owners = new Map<string, string>()
    for (const { id } of allProviders()) {
      for (const name of [id, ...(PROVIDERS[id]?.aliases ?? [])].map(plainName)) {
        expect(owners.get(name) ?? id, name).toBe(id)
        owners.set(name, id)
      }
    }
  })
})

describe('finding a model', () => {
  it.each([
    ['openai', 'gpt-4o', 'gpt-4o'],
    ['openai', 'GPT-4o-2024-08-06', 'gpt-4o'],
    ['openai', 'gpt-4o-2024-05-13', 'gpt-4o-2024-05-13'],
    ['openai', 'gpt-4.1-20250414', 'gpt-4.1'],
    ['anthropic', 'claude-sonnet-4-5-20250929', 'claude-sonnet-4-5'],
    ['anthropic', 'claude-3-7-sonnet-20250219', 'claude-3-7-sonnet-latest'],
    ['google', 'models/gemini-2.5-flash', 'gemini-2.5-flash'],
    ['google', 'gemini-2.5-flash-preview-tts', 'gemini-2.5-flash-tts'],
    ['openai', 'openai/gpt-4o-mini', 'gpt-4o-mini'],
    ['x-ai', 'grok-4.3-20260101', 'grok-4.3'],
    ['openrouter', 'openai/gpt-4o:nitro', 'openai/gpt-4o'],
    ['openrouter', 'openai/gpt-4o:floor', 'openai/gpt-4o'],
    ['openrouter', 'openai/gpt-oss-20b:free', 'openai/gpt-oss-20b:free'],
    ['openrouter', 'openai/gpt-4o:free', undefined],
    ['openai', 'gpt-4o:nitro', undefined],
  ])('%s %s is priced as %s', (name, model, id) => {
    expect(findModel(provider(name), model)?.id).toBe(id)
  })

  it.each([
    ['openai', 'gpt-4o', 'exact', '@pydantic/genai-prices'],
    ['anthropic', 'claude-opus-4-8-20260528', 'rule', '@pydantic/genai-prices'],
    ['openai', 'o3-mini-2026-01-31', 'dated', '@pydantic/genai-prices'],
    ['meta', 'muse-spark-1.3', 'exact', '@earendil-works/pi-ai'],
    ['openai', 'sora-2', 'exact', 'ai-sdk-cost-calculator'],
    ['cohere', 'rerank-v3.5', 'exact', 'overlay'],
  ])('%s %s is found by %s name, priced from %s', (name, model, by, source) => {
    expect(findMatch(provider(name), model)).toMatchObject({ by, model: { source } })
  })

  it('uses the first model in list order whose rules match', () => {
    const ids = allModels(provider('google')).map(({ id }) => id)
    const tts = findModel(provider('google'), 'gemini-2.5-flash-lite-preview-tts')
    expect(ids).toContain(tts?.id)
    expect(tts?.id).toBe('gemini-2.5-flash-lite-preview-tts')
  })

  it('prices what a provider resells by the list of the maker', () => {
    expect(findModel(provider('azure'), 'gpt-4.1')?.provider.id).toBe('openai')
    expect(findModel(provider('google'), 'claude-v1')?.provider.id).toBe('anthropic')
    expect(findModel(provider('groq'), 'gpt-4o')).toBeUndefined()
  })

  it('never prices an unknown model as a known one', () => {
    for (const model of [
      'gpt-4o-2031-01-01',
      'gpt-4o-super',
      '',
      ' ',
      'constructor',
      '__proto__',
      'x'.repeat(5000),
    ]) {
      expect(findModel(provider('openai'), model), model).toBeUndefined()
    }
    expect(price('openai', 'gpt-4oo', { input_tokens: 1 })).toEqual({
      kind: 'unpriced',
      reason: 'unknown_model',
      nearest: expect.arrayContaining(['gpt-4o']),
    })
    expect(nearestModels(provider('anthropic'), 'claude-sonet-4-5')[0]).toContain('sonnet-4-5')
  })

  it('remembers a bounded number of names', () => {
    for (let i = 0; i < 5000; i++) findModel(provider('openai'), `no-such-model-${i}`)
    expect(findModel(provider('openai'), 'gpt-4o')?.id).toBe('gpt-4o')
  })

  it('searches similar names only when they are read: ingest never does', () => {
    const result = price('OPENAI', 'gpt-4o-of-a-parallel-world', { input_tokens: 1 })
    expect(Object.getOwnPropertyDescriptor(result, 'nearest')).toMatchObject({ get: expect.any(Function) })
    expect(result).toMatchObject({ kind: 'unpriced', nearest: expect.arrayContaining(['gpt-4o']) })
  })
})
