import { allPricing } from 'ai-sdk-cost-calculator'
import { MODEL_CONFIGS } from 'llm-zoo'
import { MEDIA_PROVIDERS } from './media-prices.ts'
import { decimal, type Model } from './notation.ts'
import { currentPrices } from './weigh.ts'

/**
 * A price of the finished catalogue that differs from the price in a source for comparison. Two packages are compared:
 * ai-sdk-cost-calculator, which provides the catalogue only with prices and models that the token source does not have,
 * and llm-zoo, which provides the catalogue with nothing.
 */
export interface Check {
  readonly source: string
  readonly provider: string
  readonly model: string
  readonly unit: string
  readonly catalogue: string
  readonly theirs: string
}

export interface Checked {
  readonly compared: number
  readonly unknown: readonly string[]
  readonly differences: readonly Check[]
}

/** The date of the compared prices: the day on which both packages were published. */
const DAY = '2026-09-23'

interface Listed {
  readonly source: string
  readonly provider: string
  readonly model: string
  readonly prices: Readonly<Record<string, number | undefined>>
}

/**
 * Compares the finished catalogue with the two sources for comparison. `find` returns the catalogue's model for a
 * provider and a name.
 */
export function compareSources(find: (provider: string, name: string) => Model | undefined): Checked {
  const differences: Check[] = []
  const unknown: string[] = []
  let compared = 0
  const seen = new Set<string>()
  for (const listed of [...calculatorPrices(), ...zooPrices()]) {
    // A source can list a model several times, for example under several names of its provider.
    const key = JSON.stringify(listed)
    if (seen.has(key)) continue
    seen.add(key)
    const { source, provider, model, prices } = listed
    const ours = find(provider, model)
    if (ours === undefined) {
      unknown.push(`${source}: ${provider} ${model}`)
      continue
    }
    const current = currentPrices(ours, DAY)
    for (const [unit, price] of Object.entries(prices)) {
      const catalogue = current.get(unit)?.split(',', 1)[0]
      if (price === undefined || catalogue === undefined) continue
      compared += 1
      const theirs = decimal(price)
      if (theirs !== catalogue) differences.push({ source, provider, model, unit, catalogue, theirs })
    }
  }
  return { compared, unknown, differences }
}

function calculatorPrices(): Listed[] {
  return Object.entries(allPricing).flatMap(([theirs, models]) =>
    Object.entries(models)
      .filter(([, { inputPer1MTokens, outputPer1MTokens }]) => inputPer1MTokens > 0 && outputPer1MTokens > 0)
      .map(([model, pricing]) => ({
        source: 'ai-sdk-cost-calculator',
        provider: MEDIA_PROVIDERS[theirs] ?? theirs,
        model,
        prices: {
          input_tokens: pricing.inputPer1MTokens,
          output_tokens: pricing.outputPer1MTokens,
          cache_read_tokens: pricing.cacheReadPer1MTokens,
          cache_write_tokens: pricing.cacheWritePer1MTokens,
        },
      })),
  )
}

/**
 * The ids of providers in the catalogue, by their names in llm-zoo. Other providers of llm-zoo are left out, because
 * they mix models of several hosts under one name.
 */
const ZOO_PROVIDERS: Readonly<Record<string, string>> = {
  anthropic: 'anthropic',
  dashscope: 'alibaba',
  deepseek: 'deepseek',
  glm: 'zai',
  google: 'google',
  meta: 'meta',
  minimax: 'minimax',
  moonshot: 'moonshotai',
  openai: 'openai',
  xai: 'x-ai',
}

function zooPrices(): Listed[] {
  return Object.values(MODEL_CONFIGS).flatMap(({ provider: theirs, fullName, inputPrice, outputPrice }) => {
    const provider = ZOO_PROVIDERS[theirs]
    if (provider === undefined || inputPrice <= 0) return []
    const prices = { input_tokens: inputPrice, output_tokens: outputPrice }
    return [{ source: 'llm-zoo', provider, model: fullName, prices }]
  })
}
