import { describe, expect, it } from 'vitest'
import {
  composeApiKey,
  DEVELOPMENT_KEY,
  DEVELOPMENT_KEY_HASH,
  DEVELOPMENT_KEY_ID,
  hashApiKey,
  isWellFormed,
} from '../../src/api-keys/authentication/format.ts'
import { mintApiKey } from '../../src/api-keys/authentication/lookup.ts'

const KEY_ID = 'key_01m82kr9vnj1qk2s67ndqm186w'

describe('an API key', () => {
  it('contains its mode and its id, and all 256 bits of its secret', () => {
    const lowest = composeApiKey('live', KEY_ID, new Uint8Array(32))
    const highest = composeApiKey('test', KEY_ID, new Uint8Array(32).fill(255))
    expect(lowest.slice(0, -6)).toBe(`om_live_01m82kr9vnj1qk2s67ndqm186w${'0'.repeat(43)}`)
    expect(highest).toMatch(/^om_test_01m82kr9vnj1qk2s67ndqm186w[0-9A-Za-z]{49}$/)
    expect(highest.slice(34, 35)).not.toBe('0')
    const next = composeApiKey('live', KEY_ID, new Uint8Array(32).fill(1, 31))
    expect(next.slice(0, -6)).toBe(`${lowest.slice(0, -7)}1`)
  })

  it('is never the same twice', () => {
    expect(new Set(Array.from({ length: 1000 }, () => mintApiKey('live').api_key)).size).toBe(1000)
  })

  it('is not well-formed any more when any character changed, two changed places, or one is missing', () => {
    const { api_key } = mintApiKey('live')
    expect(isWellFormed(api_key)).toBe(true)
    for (let i = 0; i < api_key.length; i++) {
      const char = api_key.charAt(i)
      const other = char === '7' ? '8' : '7'
      expect(isWellFormed(api_key.slice(0, i) + other + api_key.slice(i + 1))).toBe(false)
      expect(isWellFormed(api_key.slice(0, i) + api_key.slice(i + 1))).toBe(false)
      const swapped = api_key.slice(0, i) + api_key.charAt(i + 1) + char + api_key.slice(i + 2)
      if (swapped !== api_key) expect(isWellFormed(swapped)).toBe(false)
    }
    for (const text of ['', 'om_live_', ` ${api_key}`, `${api_key}\n`]) expect(isWellFormed(text)).toBe(false)
  })

  it('cannot be made with too little randomness or an invalid id', () => {
    expect(() => composeApiKey('live', KEY_ID, new Uint8Array(31))).toThrow(RangeError)
    expect(() => composeApiKey('live', 'key_1', new Uint8Array(32))).toThrow(RangeError)
  })

  it('of the demo customer is well-formed, and the guard knows its hash', () => {
    expect(isWellFormed(DEVELOPMENT_KEY)).toBe(true)
    expect(DEVELOPMENT_KEY).toContain(DEVELOPMENT_KEY_ID.slice('key_'.length))
    expect(hashApiKey(DEVELOPMENT_KEY)).toBe(DEVELOPMENT_KEY_HASH)
  })
})
