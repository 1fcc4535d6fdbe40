import type { Model, Period } from './notation.ts'

/**
 * Adds the price of one-hour cache writes to Claude models that have only the price of five-minute writes. According to
 * the price pages of Anthropic, Bedrock, Vertex and the gateways, the price of one-hour writes is twice the input
 * price. In the sources, only Anthropic's own models have this price. Models of resellers have only the price of
 * five-minute writes.
 */
export function withResoldCacheWrites(models: readonly Model[]): Model[] {
  return models.map((model) =>
    /claude/.test(model.id.toLowerCase()) ? { ...model, periods: model.periods.map(withHourly) } : model,
  )
}

function withHourly(period: Period): Period {
  const input = period.prices.get('input_tokens')
  if (input === undefined || !period.prices.has('cache_write_tokens')) return period
  if (period.prices.has('cache_write_1h_tokens')) return period
  const hourly = input.split(',').map((price) => {
    const [condition = '', amount] = price.split(':')
    return amount === undefined ? twice(condition) : `${condition}:${twice(amount)}`
  })
  return { ...period, prices: new Map([...period.prices, ['cache_write_1h_tokens', hourly.join(',')]]) }
}

/** Returns twice a plain decimal, without floating-point arithmetic. */
function twice(amount: string): string {
  const [whole = '0', fraction = ''] = amount.split('.')
  const doubled = String(BigInt(whole + fraction) * 2n).padStart(fraction.length + 1, '0')
  const point = doubled.length - fraction.length
  return fraction === ''
    ? doubled
    : `${doubled.slice(0, point)}.${doubled.slice(point)}`.replace(/\.?0+$/, '')
}
