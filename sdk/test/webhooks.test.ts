import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { verifyWebhook, WebhookVerificationError } from '../src/webhooks.ts'

const key = Buffer.from('0123456789abcdef0123456789abcdef')
const SECRET = `whsec_${key.toString('base64')}`
const PAYLOAD = JSON.stringify({ id: 'ntf_1', type: 'credits.low', sequence: 7, data: { text: 'ü' } })

function signed(payload = PAYLOAD, at_s = Math.floor(Date.now() / 1000), secret = key) {
  const signature = createHmac('sha256', secret).update(`ntf_1.${at_s}.${payload}`).digest('base64')
  return { 'webhook-id': 'ntf_1', 'webhook-timestamp': String(at_s), 'webhook-signature': `v1,${signature}` }
}

describe('verifyWebhook', () => {
  it('returns the notification of a message that is signed with the secret', async () => {
    expect(await verifyWebhook(PAYLOAD, signed(), SECRET)).toEqual(JSON.parse(PAYLOAD))
    expect(
      await verifyWebhook(new TextEncoder().encode(PAYLOAD), new Headers(signed()), SECRET),
    ).toMatchObject({
      sequence: 7,
    })
  })

  it('takes headers of any case, as lists too', async () => {
    const headers = Object.entries(signed()).map(([name, value]) => [name.toUpperCase(), [value]])
    expect(await verifyWebhook(PAYLOAD, Object.fromEntries(headers), SECRET)).toMatchObject({ id: 'ntf_1' })
  })

  it('takes one of several signatures and secrets, while a secret is rotated', async () => {
    const old = signed(PAYLOAD, undefined, Buffer.from('another secret, of the week before'))
    const both = {
      ...old,
      'webhook-signature': `${old['webhook-signature']} ${signed()['webhook-signature']}`,
    }
    expect(await verifyWebhook(PAYLOAD, both, SECRET)).toMatchObject({ id: 'ntf_1' })
    expect(await verifyWebhook(PAYLOAD, signed(), [`whsec_${btoa('other')}`, SECRET])).toMatchObject({
      id: 'ntf_1',
    })
  })

  it('checks v1a signatures with a public key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
    const at_s = Math.floor(Date.now() / 1000)
    const signature = sign(null, Buffer.from(`ntf_1.${at_s}.${PAYLOAD}`), privateKey).toString('base64')
    const headers = { ...signed(PAYLOAD, at_s), 'webhook-signature': `v1,x v1a,${signature}` }
    expect(await verifyWebhook(PAYLOAD, headers, `whpk_${raw.toString('base64')}`)).toMatchObject({
      id: 'ntf_1',
    })
    await expect(verifyWebhook(`${PAYLOAD} `, headers, `whpk_${raw.toString('base64')}`)).rejects.toThrow(
      'no signature matches a secret',
    )
  })

  it.each<[string, Parameters<typeof verifyWebhook>]>([
    ['a changed body', [`${PAYLOAD} `, signed(), SECRET]],
    ['another secret', [PAYLOAD, signed(), `whsec_${btoa('other')}`]],
    ['a message of six minutes ago', [PAYLOAD, signed(PAYLOAD, Math.floor(Date.now() / 1000) - 360), SECRET]],
    ['a message of the future', [PAYLOAD, signed(PAYLOAD, Math.floor(Date.now() / 1000) + 360), SECRET]],
    ['a missing header', [PAYLOAD, { ...signed(), 'webhook-id': undefined }, SECRET]],
    ['an invalid time', [PAYLOAD, { ...signed(), 'webhook-timestamp': 'now' }, SECRET]],
    ['an invalid secret', [PAYLOAD, signed(), 'whsec_%%%']],
    ['an empty secret', [PAYLOAD, signed(), 'whsec_']],
    ['a public key of the wrong length', [PAYLOAD, signed(), `whpk_${btoa('short')}`]],
    ['a signature of another version', [PAYLOAD, { ...signed(), 'webhook-signature': 'v2,AAAA' }, SECRET]],
    ['a message that is not JSON', ['{', signed('{'), SECRET]],
    ['a very long message', ['x'.repeat(2_000_000), signed(), SECRET]],
  ])('refuses %s', async (_name, args) => {
    const error = await verifyWebhook(...args).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(WebhookVerificationError)
    expect(error).toMatchObject({ code: 'invalid_signature' })
  })
})
