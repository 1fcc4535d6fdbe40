import type { Context } from 'hono'
import type { Scope } from '../api-keys/authentication/scopes.ts'
import type { AppEnv, PortalRights } from '../http/env.ts'

/** Defines the routes that accept portal tokens. A route that is not in `PORTAL_USES` refuses every portal token. */

export interface Use {
  readonly scope: Scope
  /**
   * The names of the two parameters that contain the user and the team of the wallet, and the part of the request that
   * contains them. Absent if the route has no such parameters.
   */
  readonly wallet?: { readonly user: string; readonly team: string; readonly in: 'query' | 'body' }
  /**
   * The other query parameters that a portal token does not permit, for example because they filter by data that only
   * the customer may read.
   */
  readonly closed?: readonly string[]
  /** True if the route requires a portal token with credit packs. */
  readonly sells?: true
}

const WALLET: Use = {
  scope: 'credits:read',
  wallet: { user: 'user_id', team: 'team_id', in: 'query' },
}

export const PORTAL_USES: ReadonlyMap<string, Use> = new Map<string, Use>([
  ['GET /v1/credits/balance', WALLET],
  ['GET /v1/credits/transactions', WALLET],
  [
    'GET /v1/analytics/usage',
    {
      scope: 'analytics:read',
      wallet: { user: 'user', team: 'team', in: 'query' },
      closed: ['key', 'key_id'],
    },
  ],
  // The packs of a token always fit on one page, so `limit` and `cursor` are not permitted.
  ['GET /v1/credit-packs', { scope: 'credits:read', closed: ['limit', 'cursor'], sells: true }],
  [
    'POST /v1/payments/checkout',
    { scope: 'credits:write', wallet: { user: 'user_id', team: 'team_id', in: 'body' }, sells: true },
  ],
])

/** The values of `group_by` that are not permitted, because they would show other users, teams or API keys. */
const CLOSED_GROUPS: ReadonlySet<string> = new Set(['user', 'team', 'key'])

export function useOf({ req }: Context<AppEnv>): Use | undefined {
  return PORTAL_USES.get(`${req.method === 'HEAD' ? 'GET' : req.method} ${req.path}`)
}

/**
 * Returns the reason why the path or the query of a request is not permitted with the token. Returns undefined if they
 * are permitted.
 */
export function whyClosed(c: Context<AppEnv>, rights: PortalRights): string | undefined {
  const use = useOf(c)
  if (!use) {
    return 'A portal token can only read the balance, the usage and the transactions of one wallet, and read and buy the credit packs of the token. Use an API key for other requests.'
  }
  if (use.sells && rights.credit_pack_ids === undefined) {
    return 'This portal token was created without credit_pack_ids and cannot buy credits. Create a token with credit_pack_ids.'
  }
  const { searchParams } = new URL(c.req.url)
  const { own, other } = namesOf(use, 'query', rights)
  const closed = [other, ...(use.closed ?? [])].find((name) => name !== undefined && searchParams.has(name))
  if (closed !== undefined) return `A portal token does not permit the parameter ${closed}. Omit it.`
  if (own !== undefined && searchParams.getAll(own).some((id) => id !== rights.owner.id)) {
    return anotherWallet(rights, own)
  }
  const groups = searchParams.getAll('group_by').flatMap((list) => list.split(','))
  const group = groups.find((name) => CLOSED_GROUPS.has(name))
  return group === undefined ? undefined : `A portal token does not permit group_by=${group}. Omit it.`
}

export function anotherWallet({ owner }: PortalRights, name: string): string {
  return `This portal token is for another ${owner.kind}. Omit ${name}.`
}

/**
 * Returns the names of two parameters: `own` for the owner of the token's wallet, and `other` for an owner of the other
 * kind. Returns an empty object if this part of the request has no such parameters.
 */
export function namesOf(
  { wallet }: Use,
  part: 'query' | 'body',
  { owner }: PortalRights,
): { readonly own?: string; readonly other?: string } {
  if (wallet?.in !== part) return {}
  const { user, team } = wallet
  return owner.kind === 'user' ? { own: user, other: team } : { own: team, other: user }
}
