import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { AppEnv, PortalAccess } from '../http/env.ts'
import { fingerprintOf } from '../http/input/fingerprint.ts'
import { provideJson } from '../http/middleware/body.ts'
import { problem } from '../http/output/problem.ts'
import { anotherWallet, namesOf, useOf } from './uses.ts'

/**
 * Adds the wallet of the portal token to the body of a POST. Refuses fields that a portal token does not permit.
 * Replaces the idempotency key with a key for the wallet. Runs after the body is read, and before the schema of the
 * route validates the body.
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

/** The fields that only the customer's backend may set: the credits, the price, and whether the card is saved. */
const CLOSED_FIELDS = ['credits', 'price_usd', 'save_payment_method']
const RETURN_URLS = ['success_url', 'cancel_url']

function refusalOf(
  body: Readonly<Record<string, unknown>>,
  portal: PortalAccess,
  own: OwnerField,
): Refusal | undefined {
  const { origins, owner, credit_pack_ids = [] } = portal
  // A field with the value null counts as absent, as in the schema of the route.
  const closed = [own.other, ...CLOSED_FIELDS].find((name) => (body[name] ?? null) !== null)
  if (closed !== undefined) return forbidden(`A portal token does not permit the field ${closed}. Omit it.`)
  const named = body[own.name]
  if (typeof named === 'string' && named !== owner.id) return forbidden(anotherWallet(portal, own.name))
  const { credit_pack_id } = body
  if (typeof credit_pack_id === 'string' && !credit_pack_ids.includes(credit_pack_id)) {
    return forbidden(
      `This portal token does not permit the credit pack ${credit_pack_id}. Use a credit pack from its credit_pack_ids.`,
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
 * Reports whether a URL is on an origin. Compares the texts and does not parse the URL, because parsers can differ. If
 * a URL begins with the origin and a slash, every parser finds the same host, including the parser of the buyer's
 * browser.
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
 * Returns the internal idempotency key for a request with a portal token. It contains the owner of the wallet, so the
 * keys of two end users cannot collide. It begins with a character that the header `Idempotency-Key` cannot contain, so
 * it cannot collide with a key of the customer's backend.
 */
function keyOfWallet({ owner }: PortalAccess, key: string): string {
  return `\u0001portal ${fingerprintOf('portal', owner)} ${key}`
}

function forbidden(detail: string): Refusal {
  return { code: 'insufficient_scope', detail }
}
