import { allPricing } from 'ai-sdk-cost-calculator'
import { MODEL_CONFIGS } from 'llm-zoo'
import { MEDIA_PROVIDERS } from './media-prices.ts'
import { decimal, type Model } from './notation.ts'
import { currentPrices } from './weigh.ts'

/**
 * A difference between the finished catalogue and a source that does not provide its token prices. There are two such
 * sources. ai-sdk-cost-calculator provides only media prices and missing models. llm-zoo provides no prices and has
 * other maintainers.
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

/** The day on which both packages were published. */
const DAY = '2026-09-23'

interface Listed {
  readonly source: string
  readonly provider: string
  readonly model: string
  readonly prices: Readonly<Record<string, number | undefined>>
}

/** Compares the catalogue with the sources. `find` returns the model of the finished catalogue for a name. */
export function compareSources(find: (provider: string, name: string) => Model | undefined): Checked {
  const differences: Check[] = []
  const unknown: string[] = []
  let compared = 0
  for (const { source, provider, model, prices } of [...calculatorPrices(), ...zooPrices()]) {
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
 * The providers of the package, by the id in the catalogue. Its other providers list models of many hosts under one
 * name.
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
  const seen = new Set<string>()
  return Object.values(MODEL_CONFIGS).flatMap(({ provider: theirs, fullName, inputPrice, outputPrice }) => {
    const provider = ZOO_PROVIDERS[theirs]
    const key = `${provider} ${fullName} ${inputPrice} ${outputPrice}`
    if (provider === undefined || inputPrice <= 0 || seen.has(key)) return []
    seen.add(key)
    const prices = { input_tokens: inputPrice, output_tokens: outputPrice }
    return [{ source: 'llm-zoo', provider, model: fullName, prices }]
  })
}
