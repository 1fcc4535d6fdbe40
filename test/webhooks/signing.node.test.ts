import { Webhook as Standard } from 'standardwebhooks'
import { Webhook as Svix } from 'svix'
import { describe, expect, it } from 'vitest'
import { verifyWebhook } from '../../sdk/src/webhooks.ts'
import { newSigningKey, type SignedHeaders, signedHeaders } from '../../src/webhooks/delivery/signing.ts'

const MESSAGE = { id: 'ntf_1', body: JSON.stringify({ id: 'ntf_1', data: { text: 'Größe € 🙂' } }) }

type Verify = (body: string, headers: SignedHeaders, secret: string) => unknown

/** The libraries with which receivers verify messages. Each of them throws if it refuses a message. */
const RECEIVERS: readonly (readonly [name: string, verify: Verify])[] = [
  ['standardwebhooks', (body, headers, secret) => new Standard(secret).verify(body, { ...headers })],
  [
    'svix',
    (body, headers, secret) => {
      new Svix(secret).verify(body, { ...headers })
      return JSON.parse(body)
    },
  ],
  ['@openmonetize/edge/webhooks', (body, headers, secret) => verifyWebhook(body, { ...headers }, secret)],
]

const accepts = async (verify: Verify, body: string, headers: SignedHeaders, secret: string) => {
  try {
    await verify(body, headers, secret)
    return true
  } catch {
    return false
  }
}

describe.each(RECEIVERS)('a receiver with %s', (_, verify) => {
  it('accepts a signed message, and returns the notification', async () => {
    const key = await newSigningKey({ v1a: false })
    const headers = await signedHeaders({ ...MESSAGE, at_ms: Date.now() }, [key])
    expect(await verify(MESSAGE.body, headers, key.secret)).toEqual(JSON.parse(MESSAGE.body))
  })

  it('refuses a message that was changed, in its body, its id or its time', async () => {
    const key = await newSigningKey({ v1a: false })
    const headers = await signedHeaders({ ...MESSAGE, at_ms: Date.now() }, [key])
    const later = String(Number(headers['webhook-timestamp']) + 1)
    for (const [body, changed] of [
      [MESSAGE.body.replace('1', '2'), headers],
      [MESSAGE.body, { ...headers, 'webhook-id': 'ntf_2' }],
      [MESSAGE.body, { ...headers, 'webhook-timestamp': later }],
    ] as const) {
      expect(await accepts(verify, body, changed, key.secret)).toBe(false)
    }
  })

  it('refuses a message that is repeated after six minutes, or that is from the future', async () => {
    const key = await newSigningKey({ v1a: false })
    for (const minutes of [-6, 6]) {
      const at_ms = Date.now() + minutes * 60_000
      const headers = await signedHeaders({ ...MESSAGE, at_ms }, [key])
      expect(await accepts(verify, MESSAGE.body, headers, key.secret)).toBe(false)
    }
  })

  it('accepts both secrets while one is rotated, and the old one no longer after it', async () => {
    const [old, current] = [await newSigningKey({ v1a: false }), await newSigningKey({ v1a: false })]
    const at_ms = Date.now()
    const during = await signedHeaders({ ...MESSAGE, at_ms }, [current, old])
    const after = await signedHeaders({ ...MESSAGE, at_ms }, [current])
    const verdicts = [during, after].flatMap((headers) =>
      [old, current].map(({ secret }) => accepts(verify, MESSAGE.body, headers, secret)),
    )
    expect(await Promise.all(verdicts)).toEqual([true, true, false, true])
  })

  it('accepts the shared secret of an endpoint that has Ed25519 signatures too', async () => {
    const key = await newSigningKey({ v1a: true })
    const headers = await signedHeaders({ ...MESSAGE, at_ms: Date.now() }, [key])
    expect(await accepts(verify, MESSAGE.body, headers, key.secret)).toBe(true)
  })
})

describe('an Ed25519 signature', () => {
  it('is verified with the public key, and refused with another one or for another body', async () => {
    const [key, other] = [await newSigningKey({ v1a: true }), await newSigningKey({ v1a: true })]
    const headers = { ...(await signedHeaders({ ...MESSAGE, at_ms: Date.now() }, [key])) }
    const verdicts = [
      [MESSAGE.body, key.public_key],
      [MESSAGE.body, other.public_key],
      [`${MESSAGE.body} `, key.public_key],
    ].map(async ([body = '', public_key]) => {
      try {
        await verifyWebhook(body ?? '', headers, public_key ?? '')
        return true
      } catch {
        return false
      }
    })
    expect(await Promise.all(verdicts)).toEqual([true, false, false])
  })

  it('has its version as a prefix, and accompanies the signature of the shared secret', async () => {
    const key = await newSigningKey({ v1a: true })
    const { 'webhook-signature': signature } = await signedHeaders({ ...MESSAGE, at_ms: 0 }, [key])
    expect(signature).toMatch(/^v1,[A-Za-z0-9+/]{43}= v1a,[A-Za-z0-9+/]{86}==$/)
    expect(key.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(key.public_key).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/)
  })
})
