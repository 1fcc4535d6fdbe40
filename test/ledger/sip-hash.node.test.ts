import { describe, expect, it } from 'vitest'
import { type HashSecret, sipHash } from '../../src/ledger/idempotency/hash.ts'

/**
 * The secret and the test vectors of the SipHash reference implementation (vectors.h). The secret has the bytes 00 to
 * 0f. Vector n is the hash of the n bytes 00, 01, 02 and so on.
 */
const SECRET: HashSecret = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c]
const VECTORS = `
  726fdb47dd0e0e31 74f839c593dc67fd 0d6c8009d9a94f5a 85676696d7fb7e2d cf2794e0277187b7 18765564cd99a68d
  cbc9466e58fee3ce ab0200f58b01d137 93f5f5799a932462 9e0082df0ba9e4b0 7a5dbbc594ddb9f3 f4b32f46226bada7
  751e8fbc860ee5fb 14ea5627c0843d90 f723ca908e7af2ee a129ca6149be45e5 3f2acc7f57c29bdb 699ae9f52cbe4794
  4bc1b3f0968dd39c bb6dc91da77961bd bed65cf21aa2ee98 d0f2cbb02e3b67c7 93536795e3a33e88 a80c038ccd5ccec8
  b8ad50c6f649af94 bce192de8a85b8ea 17d835b85bbb15f3 2f2e6163076bcfad de4daaaca71dc9a5 a6a2506687956571
  ad87a3535c49ef28 32d892fad841c342 7127512f72f27cce a7f32346f95978e3 12e0b01abb051238 15e034d40fa197ae
  314dffbe0815a3b4 027990f029623981 cadcd4e59ef40c4d 9abfd8766a33735c 0e3ea96b5304a7d0 ad0c42d6fc585992
  187306c89bc215a9 d4a60abcf3792b95 f935451de4f21df2 a9538f0419755787 db9acddff56ca510 d06c98cd5c0975eb
  e612a3cb9ecba951 c766e62cfcadaf96 ee64435a9752fe72 a192d576b245165a 0a8787bf8ecb74b2 81b3e73d20b49b6f
  7fa8220ba3b2ecea 245731c13ca42499 b78dbfaf3a8d83bd ea1ad565322a1a0b 60e61c23a3795013 6606d7e446282b93
  6ca4ecb15c5f91e1 9f626da15c9625f3 e51b38608ef25f57 958a324ceb064572`
  .trim()
  .split(/\s+/)

function hex(secret: HashSecret, text: string): string {
  const { low, high } = sipHash(secret, text)
  return [high, low].map((half) => half.toString(16).padStart(8, '0')).join('')
}

/** Returns the hash of a text. This simple implementation with BigInt follows the SipHash paper. */
function reference([k0l, k0h, k1l, k1h]: HashSecret, text: string): string {
  const bytes = new TextEncoder().encode(text)
  const mask = (1n << 64n) - 1n
  const rotate = (value: bigint, by: bigint) => ((value << by) | (value >> (64n - by))) & mask
  const k0 = (BigInt(k0h) << 32n) | BigInt(k0l)
  const k1 = (BigInt(k1h) << 32n) | BigInt(k1l)
  let v0 = k0 ^ 0x736f6d6570736575n
  let v1 = k1 ^ 0x646f72616e646f6dn
  let v2 = k0 ^ 0x6c7967656e657261n
  let v3 = k1 ^ 0x7465646279746573n
  const round = () => {
    v0 = (v0 + v1) & mask
    v1 = rotate(v1, 13n) ^ v0
    v0 = rotate(v0, 32n)
    v2 = (v2 + v3) & mask
    v3 = rotate(v3, 16n) ^ v2
    v0 = (v0 + v3) & mask
    v3 = rotate(v3, 21n) ^ v0
    v2 = (v2 + v1) & mask
    v1 = rotate(v1, 17n) ^ v2
    v2 = rotate(v2, 32n)
  }
  const padded = new Uint8Array(Math.floor(bytes.length / 8) * 8 + 8)
  padded.set(bytes)
  padded[padded.length - 1] = bytes.length
  const words = new DataView(padded.buffer)
  for (let at = 0; at < padded.length; at += 8) {
    const word = words.getBigUint64(at, true)
    v3 ^= word
    round()
    round()
    v0 ^= word
  }
  v2 ^= 0xffn
  for (let i = 0; i < 4; i++) round()
  return (v0 ^ v1 ^ v2 ^ v3).toString(16).padStart(16, '0')
}

describe('SipHash-2-4', () => {
  it.each(VECTORS.map((hash, length) => [length, hash]))(
    'of %i bytes is that of the reference',
    (length, hash) => {
      expect(hex(SECRET, String.fromCharCode(...Array(Number(length)).keys()))).toBe(hash)
    },
  )

  it.each([
    '',
    'a',
    'ключ',
    'clé-1',
    '🦄'.repeat(3),
    'x'.repeat(255),
    'ж'.repeat(255),
    '漢'.repeat(2000),
    'a\u{10ffff}b',
  ])('of "%s" is that of its UTF-8', (text) => {
    const secret: HashSecret = [0xffff_ffff, 0x8000_0000, 0, 0xdead_beef]
    expect(hex(secret, text)).toBe(reference(secret, text))
  })

  it('of one text is independent of a longer text before it', () => {
    const before = hex(SECRET, 'short')
    hex(SECRET, 'ж'.repeat(5000))
    expect(hex(SECRET, 'short')).toBe(before)
  })

  it('differs with another secret', () => {
    expect(hex([0, 0, 0, 0], 'key')).not.toBe(hex([0, 0, 0, 1], 'key'))
  })
})
