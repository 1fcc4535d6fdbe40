import Fraction from 'fraction.js'

const PICO = 1_000_000_000_000n

/** A decimal string (exponents allowed) or pico-USD, as an exact fraction of a USD. */
export function exactUsd(amount: string | bigint): Fraction {
  if (typeof amount === 'bigint') return new Fraction(amount, PICO)
  const [mantissa = '', exponent = '0'] = amount.toLowerCase().split('e')
  return new Fraction(mantissa).mul(new Fraction(10).pow(Number(exponent)) ?? 0)
}
