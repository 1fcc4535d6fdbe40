import { parseDecimal } from '../money.ts'

/** An amount of a stored definition. Throws on what `checkBurnTable` would not have let through. */
export function readDecimal(text: string, decimals: number): bigint {
  const value = parseDecimal(text, decimals)
  if (typeof value !== 'bigint' || value < 0n) throw new Error(`not an amount of a burn table: ${text}`)
  return value
}
