import type { VNode } from 'preact'
import { type Decimal, grouped } from '../api/decimal.ts'

interface AmountProps {
  readonly value: Decimal
  readonly unit?: 'credits' | 'USD' | '%' | undefined
  /** Whether a plus sign is shown before amounts above 0. */
  readonly signed?: boolean
}

/** An amount with all digits. */
export function Amount({ value, unit, signed = false }: AmountProps): VNode {
  const sign = signed && !value.startsWith('-') && value !== '0' ? '+' : ''
  return (
    <span class="amount" data-value={value}>
      {sign}
      {grouped(value)}
      {unit !== undefined && <span class="unit"> {unit}</span>}
    </span>
  )
}
