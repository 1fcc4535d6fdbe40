import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Bindings } from '../../src/bindings.ts'
import { readConfig } from '../../src/config.ts'
import data from '../../src/pricing/catalogue.json' with { type: 'json' }
import type { Fetch } from '../../src/rating/price-feed/download.ts'
import { sha256 } from '../../src/rating/price-feed/feed.ts'
import { readPriceFeed } from '../../src/rating/price-feed/read.ts'
import { applyFeed, findFeed } from '../../src/rating/price-feed/store.ts'
import { loadOverlays, MAX_OVERLAYS } from '../../src/rating/price-overrides/store.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { GPT_4O, granted, ingested, type Json, objects, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import {
  costOf,
  inAnotherIsolate,
  OVERRIDES,
  PROVIDER_COSTS,
  perThousand,
  setPrice,
  versionOf,
} from '../support/prices.ts'
import { expectProblem } from '../support/problems.ts'

/** The feed and the signature that the simulated feed server returns. */
interface Served {
  readonly feed: Uint8Array
  readonly signature: string
}

/** Fills the operator's scope with prices of other models. */
const FILL_SCOPE = `
  INSERT INTO price_overlays (scope, epoch, overlay_id, provider, model, service_tier, prices, effective_from_ms,
    effective_to_ms, created_at_ms, created_by)
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_OVERLAYS})
  SELECT 'operator', i, 'po_' || i, 'openai', 'other-' || i, NULL, '{"multiplier":"1"}', 0, 1, 0, 'operator' FROM n`

const FEED_URL = 'https://prices.test/feed.json'

let pair: CryptoKeyPair
let bindings: Bindings
let key: string
let version = 1

async function newPair(): Promise<CryptoKeyPair> {
  const made = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('publicKey' in made)) throw new Error('not a pair of keys')
  return made
}

beforeAll(async () => {
  pair = await newPair()
  const raw = await crypto.subtle.exportKey('raw', pair.publicKey)
  if (!(raw instanceof ArrayBuffer)) throw new Error('not a raw key')
  const PRICE_FEED_KEY = Buffer.from(raw).toString('base64')
  bindings = { ...env, PRICE_FEED_URL: FEED_URL, PRICE_FEED_KEY }
  key = (await createCustomer()).api_key
  await granted(key, { amount: 100_000 })
})

beforeEach(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  await env.DB.prepare(
    "UPDATE price_overlays SET scope = 'gone', epoch = epoch + (SELECT count(*) FROM price_overlays WHERE scope = 'gone') WHERE scope = 'operator'",
  ).run()
  await env.DB.prepare('DELETE FROM price_feeds').run()
  await env.API_KEYS.delete('epoch:operator')
  inAnotherIsolate()
})
afterEach(() => {
  vi.restoreAllMocks()
})

type Lines = ReadonlyMap<string, (line: string) => string | null>

/** Returns the committed catalogue as a price feed, in which `edits` replaces or adds lines of OpenAI models. */
async function feedOf(
  edits: Lines = new Map(),
  added: readonly string[] = [],
  { signer = pair }: { signer?: CryptoKeyPair } = {},
): Promise<Served> {
  version += 1
  const providers = data.providers.map(({ id, models }) => ({
    id,
    models:
      id === 'openai'
        ? [
            ...models.flatMap((line) => {
              const edited = edits.get(line.split(' | ')[0] ?? '')?.(line)
              return edited === null ? [] : [edited ?? line]
            }),
            ...added,
          ]
        : models,
  }))
  const body = {
    format: 1,
    version,
    published_at: '2026-11-28T00:00:00Z',
    digest: await sha256(JSON.stringify(providers)),
    providers,
  }
  return signed(new TextEncoder().encode(JSON.stringify(body)), signer)
}

async function signed(feed: Uint8Array, { privateKey }: CryptoKeyPair = pair): Promise<Served> {
  const signature = await crypto.subtle.sign('Ed25519', privateKey, feed)
  return { feed, signature: Buffer.from(signature).toString('base64') }
}

function serving({ feed, signature }: Served): Fetch {
  return async (url) => new Response(url.endsWith('.sig') ? signature : feed)
}

function readFrom(served: Served): ReturnType<typeof readPriceFeed> {
  return readPriceFeed(bindings, Date.now(), serving(served))
}

const at = (input: number) => new Map([['gpt-4o', priced(input)]])
const priced = (input: number) => (line: string) => line.replace('input_tokens=2.5', `input_tokens=${input}`)

const LIST_COST = 0.0075

describe('a good feed', () => {
  it('sets the changed prices, for every isolate, and keeps the others', async () => {
    expect(await costOf(key, 'gpt-4o')).toBe(LIST_COST)
    expect(await readFrom(await feedOf(at(3)))).toMatchObject({
      status: 'APPLIED',
      changes: { set: [{ model: 'gpt-4o' }] },
    })
    expect(await costOf(key, 'gpt-4o')).toBe(0.008)
    inAnotherIsolate()
    expect(await costOf(key, 'gpt-4o')).toBe(0.008)
    expect(await costOf(key, 'gpt-4o-2024-08-06')).toBe(0.008)
    expect(await versionOf(key, 'gpt-4o-mini')).not.toMatch(/^po_/)
    expect(await env.API_KEYS.get('epoch:operator')).toBe('1')
  })

  it('keeps service tiers, and holds for resellers of the model', async () => {
    await readFrom(await feedOf(at(3)))
    expect(await costOf(key, 'gpt-4o', { service_tier: 'batch' })).toBe(0.004)
    expect(await costOf(key, 'gpt-4o', { provider: 'AZURE' })).toBe(0.008)
  })

  it('prices a new model, also for events of the last 35 days', async () => {
    expect(await costOf(key, 'gpt-brand-new')).toBe('unpriced_model')
    await readFrom(await feedOf(new Map(), ['gpt-brand-new | = | 1000 | input_tokens=1 output_tokens=2']))
    expect(await costOf(key, 'gpt-brand-new')).toBe(0.002)
    const timestamp = new Date(Date.now() - 30 * 86_400_000).toISOString()
    const event = await ingested(key, { ...GPT_4O, model: 'gpt-brand-new', timestamp })
    expect(event).toMatchObject({ provider_cost_usd: 0.002 })
  })

  it('leaves recorded events their price version, by which they are explained', async () => {
    await readFrom(await feedOf(at(3)))
    const event = await ingested(key, GPT_4O)
    await readFrom(await feedOf(at(3.3)))
    expect(await costOf(key, 'gpt-4o')).toBe(0.0083)
    expect(await read(key, `/v1/events/${textField(event, 'id')}/explain`)).toMatchObject({
      provider_cost_usd: 0.008,
      price: { source: 'feed', price_version: event.price_version },
      units: [{ price_usd: 0.000003 }, { price_usd: 0.00001 }],
    })
  })

  it('restores the price of the catalogue when a later feed has it again', async () => {
    await readFrom(await feedOf(at(3)))
    expect(await readFrom(await feedOf())).toMatchObject({
      status: 'APPLIED',
      changes: { set: [], end: [{ model: 'gpt-4o' }] },
    })
    inAnotherIsolate()
    expect(await costOf(key, 'gpt-4o')).toBe(LIST_COST)
  })

  it('is read again without a change', async () => {
    const served = await feedOf(at(3))
    const first = await readFrom(served)
    expect(await readFrom(served)).toMatchObject({ feed_id: first?.feed_id })
    const feeds = await env.DB.prepare('SELECT count(*) AS n FROM price_feeds').first('n')
    expect(feeds).toBe(1)
  })
})

it('the customer precedes the operator, the operator the feed, and the feed the catalogue', async () => {
  await readFrom(await feedOf(at(3)))
  expect(await costOf(key, 'gpt-4o')).toBe(0.008)
  await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, {
    provider: 'OPENAI',
    model: 'gpt-4o',
    prices: { multiplier: 2 },
  })
  expect(await costOf(key, 'gpt-4o')).toBe(0.016)
  await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, {
    provider: 'OPENAI',
    model: 'gpt-4o',
    prices: perThousand('0.5'),
  })
  expect(await costOf(key, 'gpt-4o')).toBe(0.5)
  await readFrom(await feedOf(at(3.3)))
  expect(await costOf(key, 'gpt-4o')).toBe(0.5)
  const other = (await createCustomer()).api_key
  await setPrice(OVERRIDES, other, { provider: 'OPENAI', model: 'gpt-4o', prices: perThousand('0.7') })
  expect(await costOf(other, 'gpt-4o')).toBe(0.7)
  expect(await costOf(key, 'gpt-4o')).toBe(0.5)
  const { data: set } = await jsonOf(await api(PROVIDER_COSTS, { key: OPERATOR_TOKEN }))
  expect(objects(set)).toHaveLength(2)
})

describe('a feed that is refused', () => {
  const NEVER: Fetch = (_url, init) =>
    new Promise((_, reject) => {
      init.signal?.addEventListener('abort', () => reject(new Error('aborted')))
    })
  const served = (make: () => Promise<Served>) => async () => serving(await make())

  const cases: [what: string, reason: RegExp, fetcher: () => Promise<Fetch>][] = [
    ['broken', /not JSON/, served(() => signed(new TextEncoder().encode('{"format": 1, ')))],
    [
      'of another format',
      /does not have the format/,
      served(() => signed(new TextEncoder().encode('{"format":2}'))),
    ],
    [
      'tampered with',
      /signature does not match/,
      async () => {
        const { feed, signature } = await feedOf(at(3))
        const text = new TextDecoder().decode(feed).replace('input_tokens=3 ', 'input_tokens=2 ')
        return serving({ feed: new TextEncoder().encode(text), signature })
      },
    ],
    [
      'signed by another key',
      /signature does not match/,
      served(async () => feedOf(at(3), [], { signer: await newPair() })),
    ],
    [
      'with another digest',
      /digest does not match/,
      served(async () => {
        const { feed } = await feedOf(at(3))
        const text = new TextDecoder().decode(feed).replace('input_tokens=3 ', 'input_tokens=2.9 ')
        return signed(new TextEncoder().encode(text))
      }),
    ],
    [
      'with an invalid price',
      /invalid price/,
      served(() => feedOf(new Map([['gpt-4o', () => 'gpt-4o | = |  | input_tokens=x']]))),
    ],
    ['of 10 MB', /more than 5000000 bytes/, served(() => signed(new Uint8Array(10_000_000).fill(32)))],
    ['slow', /did not arrive within/, async () => NEVER],
    ['missing', /with the status 404/, async () => async () => new Response('gone', { status: 404 })],
    [
      'redirected',
      /with the status 302/,
      async () => async () => new Response(null, { status: 302, headers: { Location: 'http://a.test' } }),
    ],
    ['unreachable', /cannot be reached/, async () => async () => Promise.reject(new Error('no route'))],
  ]
  it.each(cases)(
    'because it is %s is kept with the reason, and does not stop ratings',
    async (_what, reason, fetcher) => {
      const answered = await readPriceFeed(bindings, Date.now(), await fetcher(), 500)
      expect(answered).toMatchObject({ status: 'REFUSED', reasons: [expect.stringMatching(reason)] })
      expect(await costOf(key, 'gpt-4o')).toBe(LIST_COST)
      expect(objects((await feeds()).data)).toMatchObject([
        { status: 'REFUSED', reasons: [expect.stringMatching(reason)] },
      ])
    },
  )

  it('because of the key is applied when the key is corrected, and is refused once until then', async () => {
    const fetcher = serving(await feedOf(at(3)))
    const raw = await crypto.subtle.exportKey('raw', (await newPair()).publicKey)
    if (!(raw instanceof ArrayBuffer)) throw new Error('not a raw key')
    const mistyped = { ...bindings, PRICE_FEED_KEY: Buffer.from(raw).toString('base64') }
    const refused = await readPriceFeed(mistyped, Date.now(), fetcher)
    expect(refused).toMatchObject({ status: 'REFUSED', version: null })
    expect(await readPriceFeed(mistyped, Date.now(), fetcher)).toMatchObject({ feed_id: refused?.feed_id })
    expect(await readPriceFeed(bindings, Date.now(), fetcher)).toMatchObject({ status: 'APPLIED' })
    expect(await costOf(key, 'gpt-4o')).toBe(0.008)
    expect(objects((await feeds()).data)).toMatchObject([{ status: 'APPLIED' }])
  })

  it('because it is older leaves the prices of the newer one in force', async () => {
    const older = await feedOf(at(2.9))
    await readFrom(await feedOf(at(3)))
    expect(await readFrom(older)).toMatchObject({
      status: 'REFUSED',
      reasons: [expect.stringMatching(/is not newer/)],
    })
    expect(await costOf(key, 'gpt-4o')).toBe(0.008)
  })
})

async function feeds(): Promise<Json> {
  return jsonOf(await api('/v1/admin/price-feed', { key: OPERATOR_TOKEN }))
}

function decide(decision: 'apply' | 'reject', feed_id: string): Promise<Response> {
  return api(`/v1/admin/price-feed/${decision}`, { key: OPERATOR_TOKEN, body: { feed_id } })
}

describe('a feed that needs the operator', () => {
  const cases: [what: string, reason: RegExp, edits: Lines][] = [
    ['ten times a price', /openai\/gpt-4o: input_tokens rises by 900 %/, at(25)],
    ['a price 31 % lower', /falls by 31 %/, at(1.725)],
    ['a price of zero', /is zero/, at(0)],
    ['a missing model', /openai\/gpt-4o: is missing/, new Map([['gpt-4o', () => null]])],
    [
      'a missing unit',
      /cache_read_tokens is missing/,
      new Map([['gpt-4o', (line: string) => line.replace(/ cache_read_tokens=\S+/, '')]]),
    ],
  ]
  it.each(cases)('because of %s waits, and the prices stay', async (_what, reason, edits) => {
    expect(await readFrom(await feedOf(edits))).toMatchObject({
      status: 'WAITING',
      reasons: expect.arrayContaining([expect.stringMatching(reason)]),
    })
    expect(await costOf(key, 'gpt-4o')).toBe(LIST_COST)
  })

  it('is applied with the approval of the operator, once, with an audit record', async () => {
    const feed_id = (await readFrom(await feedOf(at(25))))?.feed_id ?? ''
    expect(await jsonOf(await decide('apply', feed_id))).toMatchObject({ status: 'APPLIED', prices_set: 1 })
    expect(await costOf(key, 'gpt-4o')).toBe(0.03)
    await expectProblem(await decide('apply', feed_id), 409, 'conflict')
    await expectProblem(await decide('reject', feed_id), 409, 'conflict')
    const audit = await jsonOf(
      await api('/v1/admin/audit?action=admin.apply_price_feed', { key: OPERATOR_TOKEN }),
    )
    expect(objects(audit.data)[0]).toMatchObject({
      actor: 'operator',
      target: feed_id,
      before: { status: 'WAITING' },
    })
  })

  it('is rejected, and stays so when it is read again', async () => {
    const served = await feedOf(at(25))
    const feed_id = (await readFrom(served))?.feed_id ?? ''
    expect((await decide('reject', feed_id)).status).toBe(200)
    expect(await readFrom(served)).toMatchObject({ status: 'REJECTED' })
    expect(await costOf(key, 'gpt-4o')).toBe(LIST_COST)
    await expectProblem(await decide('apply', feed_id), 409, 'conflict')
  })

  it('keeps an older one from being applied, until it is rejected', async () => {
    const older = await feedOf(at(3))
    const feed_id = (await readFrom(await feedOf(at(25))))?.feed_id ?? ''
    expect(await readFrom(older)).toMatchObject({
      status: 'REFUSED',
      reasons: [expect.stringMatching(/waits for approval/)],
    })
    expect((await decide('reject', feed_id)).status).toBe(200)
    expect(await readFrom(older)).toMatchObject({ status: 'APPLIED' })
    expect(await costOf(key, 'gpt-4o')).toBe(0.008)
  })

  it('is not applied if the operator has set the maximum number of prices meanwhile', async () => {
    const feed = await readFrom(await feedOf(at(25)))
    if (feed === undefined) throw new Error('no feed')
    await env.DB.prepare(FILL_SCOPE).run()
    await expectProblem(await decide('apply', feed.feed_id), 409, 'conflict')
    await expect(applyFeed(env.DB, feed, true, Date.now(), [])).rejects.toThrow('NOT NULL')
    expect(await findFeed(env.DB, feed)).toMatchObject({ status: 'WAITING' })
    expect(await loadOverlays(env, 'operator')).toHaveLength(MAX_OVERLAYS)
    inAnotherIsolate()
    expect(await costOf(key, 'gpt-4o')).toBe(LIST_COST)
  })

  it('is replaced by a newer one that is applied', async () => {
    const feed_id = (await readFrom(await feedOf(at(25))))?.feed_id ?? ''
    await readFrom(await feedOf(at(3)))
    expect(objects((await feeds()).data)).toMatchObject([
      { status: 'APPLIED' },
      { feed_id, status: 'REPLACED' },
    ])
    await expectProblem(await decide('apply', feed_id), 409, 'conflict')
  })

  it('has an id: another one is a 404, and a customer gets 403', async () => {
    await expectProblem(await decide('apply', 'pf_01m831n6gw00000004y6qxbj7y'), 404, 'not_found')
    await expectProblem(await api('/v1/admin/price-feed', { key }), 403, 'insufficient_scope')
  })
})

describe('the variables', () => {
  it('switch the feed on only with a URL and a key', async () => {
    const fetcher = vi.fn<Fetch>()
    for (const off of [{ PRICE_FEED_URL: '' }, { PRICE_FEED_KEY: '' }]) {
      expect(await readPriceFeed({ ...bindings, ...off }, Date.now(), fetcher)).toBeUndefined()
    }
    expect(fetcher).not.toHaveBeenCalled()
  })

  it('refuse a URL without TLS, an invalid key and an invalid bound', () => {
    expect(() => readConfig({ PRICE_FEED_URL: 'http://prices.test' })).toThrow('must be an https URL')
    expect(() => readConfig({ PRICE_FEED_KEY: 'abc' })).toThrow('must be an Ed25519 public key')
    expect(() => readConfig({ PRICE_FEED_BOUND_PERCENT: 'much' })).toThrow('must be a whole number')
  })
})
