import type { Context } from 'hono'
import type { Scope } from '../api-keys/authentication/scopes.ts'
import type { AppEnv, PortalRights } from '../http/env.ts'

/** The permissions of portal tokens: a route that is not listed here refuses every token. */

export interface Use {
  readonly scope: Scope
  /**
   * The names of the parameters for user and team of the wallet, and the part of the request that has them.
   */
  readonly wallet?: { readonly user: string; readonly team: string; readonly in: 'query' | 'body' }
  /** Further parameters that a token may not send: they filter by data that only the customer may see. */
  readonly closed?: readonly string[]
  /** Whether only tokens with credit packs may use the route. */
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
  // A token has few packs, so they fit one page.
  ['GET /v1/credit-packs', { scope: 'credits:read', closed: ['limit', 'cursor'], sells: true }],
  [
    'POST /v1/payments/checkout',
    { scope: 'credits:write', wallet: { user: 'user_id', team: 'team_id', in: 'body' }, sells: true },
  ],
])

/** Groups that would name other users and teams, or API keys. */
const CLOSED_GROUPS: ReadonlySet<string> = new Set(['user', 'team', 'key'])

export function useOf({ req }: Context<AppEnv>): Use | undefined {
  return PORTAL_USES.get(`${req.method === 'HEAD' ? 'GET' : req.method} ${req.path}`)
}

/** The reason why the token may not make this request, as far as its path and its query show it. */
export function whyClosed(c: Context<AppEnv>, rights: PortalRights): string | undefined {
  const use = useOf(c)
  if (!use) {
    return 'A portal token reads the balance, the usage and the transactions of one wallet, buys its credit packs, and nothing else. Use an API key.'
  }
  if (use.sells && rights.credit_pack_ids === undefined) {
    return 'This portal token was made without credit_pack_ids and buys nothing.'
  }
  const { searchParams } = new URL(c.req.url)
  const { own, other } = namesOf(use, 'query', rights)
  const closed = [other, ...(use.closed ?? [])].find((name) => name !== undefined && searchParams.has(name))
  if (closed !== undefined) return `A portal token does not take the parameter ${closed}.`
  if (own !== undefined && searchParams.getAll(own).some((id) => id !== rights.owner.id)) {
    return anotherWallet(rights, own)
  }
  const groups = searchParams.getAll('group_by').flatMap((list) => list.split(','))
  const group = groups.find((name) => CLOSED_GROUPS.has(name))
  return group === undefined ? undefined : `A portal token does not group by ${group}.`
}

export function anotherWallet({ owner }: PortalRights, name: string): string {
  return `This portal token is for another ${owner.kind}. Leave out ${name}.`
}

/** The request's parameter for the owner of the token's wallet, and that for an owner of the other kind. */
export function namesOf(
  { wallet }: Use,
  part: 'query' | 'body',
  { owner }: PortalRights,
): { readonly own?: string; readonly other?: string } {
  if (wallet?.in !== part) return {}
  const { user, team } = wallet
  return owner.kind === 'user' ? { own: user, other: team } : { own: team, other: user }
}
