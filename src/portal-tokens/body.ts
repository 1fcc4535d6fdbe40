import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AppEnv, PortalAccess } from '../http/env.ts'
import { fingerprintOf } from '../http/input/fingerprint.ts'
import { provideJson } from '../http/middleware/body.ts'
import { problem } from '../http/output/problem.ts'
import { anotherWallet, namesOf, useOf } from './uses.ts'

/**
 * Adds the token's wallet to the body of a POST with a portal token. Refuses fields that the token may not send. Runs
 * after the body is read and before the route's schema checks the types of values.
 */
export const portalBody = createMiddleware<AppEnv>((c, next) => {
  const portal = c.get('portal')
  if (!portal || c.req.method !== 'POST') return next()
  const change = async () => (await changeBody(c, portal)) ?? next()
  return change()
})

async function changeBody(c: Context<AppEnv>, portal: PortalAccess): Promise<Response | undefined> {
  const body: unknown = await c.req.json()
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  const own = ownerField(c, portal)
  const refused = refusalOf({ ...body }, portal, own)
  if (refused) return problem(c, refused)
  provideJson(c.req, { ...body, [own.name]: portal.owner.id })
  const key = c.get('idempotency_key')
  if (key !== undefined) c.set('idempotency_key', keyOfWallet(portal, key))
  return undefined
}

interface Refusal {
  readonly code: 'insufficient_scope' | 'origin_not_allowed'
  readonly detail: string
}

interface OwnerField {
  readonly name: string
  readonly other: string
}

/** The fields of a price and of a saved card. Only the customer's backend may set them. */
const CLOSED_FIELDS = ['credits', 'price_usd', 'save_payment_method']
const RETURN_URLS = ['success_url', 'cancel_url']

function refusalOf(
  body: Readonly<Record<string, unknown>>,
  portal: PortalAccess,
  own: OwnerField,
): Refusal | undefined {
  const { origins, owner, credit_pack_ids = [] } = portal
  // A field that is null counts as absent, as in the schema.
  const closed = [own.other, ...CLOSED_FIELDS].find((name) => (body[name] ?? null) !== null)
  if (closed !== undefined) return forbidden(`A portal token does not permit the field ${closed}. Omit it.`)
  const named = body[own.name]
  if (typeof named === 'string' && named !== owner.id) return forbidden(anotherWallet(portal, own.name))
  const { credit_pack_id } = body
  if (typeof credit_pack_id === 'string' && !credit_pack_ids.includes(credit_pack_id)) {
    return forbidden(
      `This portal token was created without the credit pack ${credit_pack_id}. Use one of its credit packs.`,
    )
  }
  const elsewhere = RETURN_URLS.find((name) => {
    const url = body[name]
    return typeof url === 'string' && !origins.some((origin) => isOn(origin, url))
  })
  if (elsewhere === undefined) return undefined
  const detail = `${elsewhere} must be one of the token's origins, or begin with an origin and a slash: ${origins.join(', ')}.`
  return { code: 'origin_not_allowed', detail }
}

/**
 * Reports whether an address is on an origin. Compares the text instead of the parsed URL, because every parser,
 * including the buyer's browser, finds the same host in a text that begins with the origin and a slash.
 */
function isOn(origin: string, url: string): boolean {
  return url === origin || url.startsWith(`${origin}/`)
}

function ownerField(c: Context<AppEnv>, portal: PortalAccess): OwnerField {
  const use = useOf(c)
  const { own, other } = use ? namesOf(use, 'body', portal) : {}
  if (own === undefined || other === undefined)
    throw new Error('a POST with a portal token does not name its wallet')
  return { name: own, other }
}

/**
 * Returns the idempotency key of an end user, which is separate for each wallet. A request with an API key cannot
 * send the first character of this key, so the key cannot collide with the keys of the customer's backend or of other
 * end users.
 */
function keyOfWallet({ owner }: PortalAccess, key: string): string {
  return `\u0001portal ${fingerprintOf('portal', owner)} ${key}`
}

function forbidden(detail: string): Refusal {
  return { code: 'insufficient_scope', detail }
}
