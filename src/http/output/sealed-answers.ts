import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/**
 * An answer that holds a secret is stored encrypted under the credential of the request it answers. The credential
 * itself is stored nowhere, so the database alone gives nothing away, and whoever repeats the request brings it along.
 * AES-256-GCM with a key of HKDF-SHA-256: a credential has 256 random bits, so there is nothing to stretch.
 */

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const PURPOSE = 'openmonetize stored answer'

/** `place` names the row that the answer is for: it cannot be opened as that of another one. */
export function seal(text: string, credential: string, place: string): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, keyOf(credential, place), iv, { authTagLength: TAG_BYTES })
  const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), encrypted]).toString('base64')
}

/** Undefined when it was sealed under another credential or for another place, or is broken. */
export function unseal(sealed: string, credential: string, place: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64')
  const [iv, tag] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)]
  try {
    const decipher = createDecipheriv(CIPHER, keyOf(credential, place), iv, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(tag)
    const encrypted = bytes.subarray(IV_BYTES + TAG_BYTES)
    return Buffer.concat([decipher.update(encrypted), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

function keyOf(credential: string, place: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', credential, place, PURPOSE, KEY_BYTES))
}
