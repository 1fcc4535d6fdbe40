import { describe, expect, it } from 'vitest'
import { seal, unseal } from '../../src/http/output/stored-answers.ts'

describe('a sealed response', () => {
  const text = '{"api_key":"om_live_secret","name":"Käse 🧀"}'

  it('can be decrypted with its credential and place, and has a different ciphertext each time', () => {
    const sealed = seal(text, 'credential', 'place')
    expect(unseal(sealed, 'credential', 'place')).toBe(text)
    expect(sealed).not.toContain('om_live_secret')
    expect(atob(sealed)).not.toContain('om_live_secret')
    expect(seal(text, 'credential', 'place')).not.toBe(sealed)
  })

  it('cannot be decrypted with another credential, another place, or a changed byte', () => {
    const sealed = seal(text, 'credential', 'place')
    expect(unseal(sealed, 'another', 'place')).toBeUndefined()
    expect(unseal(sealed, 'credential', 'elsewhere')).toBeUndefined()
    const bytes = Buffer.from(sealed, 'base64')
    for (const at of [0, 12, bytes.length - 1]) {
      const broken = Buffer.from(bytes)
      broken.writeUInt8(broken.readUInt8(at) ^ 1, at)
      expect(unseal(broken.toString('base64'), 'credential', 'place')).toBeUndefined()
    }
    for (const text of ['', 'not base 64', sealed.slice(0, 20)]) {
      expect(unseal(text, 'credential', 'place')).toBeUndefined()
    }
  })
})
