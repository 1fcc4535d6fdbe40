import { jsonResponse } from '../../http/output/json.ts'
import { listAll } from './pages.ts'
import { type Asked, type Fields, number, pick, type Translation, text } from './translation.ts'

/** The translations of the routes for wallets: balances, purchases, grants and transactions. */

const balanceOfUser: Pick<Translation, 'method' | 'summary' | 'scope' | 'status' | 'run'> = {
  method: 'get',
  summary: 'Get the credits of a user',
  scope: 'credits:read',
  status: 200,
  async run({ c, params, send }) {
    const balance = await send({
      method: 'GET',
      path: '/v1/credits/balance',
      query: { user_id: params.userId },
    })
    const expiring = balance.expiring_next
    return jsonResponse(c, {
      data: {
        balance: balance.balance,
        reserved: balance.reserved_balance,
        available: balance.available_balance,
        expiresAt: isNext(expiring) ? expiring.at : null,
      },
    })
  },
}

function isNext(value: unknown): value is { readonly at: string } {
  return typeof value === 'object' && value !== null && 'at' in value
}

const transactionsOfUser: Pick<Translation, 'method' | 'summary' | 'scope' | 'status' | 'query' | 'run'> = {
  method: 'get',
  summary: 'List the transactions of a user',
  scope: 'credits:read',
  status: 200,
  query: ['limit', 'offset'],
  async run(asked) {
    const list = await listAll(asked, '/v1/credits/transactions', { user_id: asked.params.userId })
    if (list instanceof Response) return list
    return jsonResponse(asked.c, { ...list, data: list.data.map(transactionOf) })
  },
}

function transactionOf(row: Fields): object {
  return {
    id: row.id,
    transactionType: row.type,
    amount: row.amount,
    balanceBefore: row.balance_before,
    balanceAfter: row.balance_after,
    description: row.description,
    createdAt: row.created_at,
  }
}

/** The body fields of a purchase or a grant, with the names of the same fields in this API. */
const LOT = {
  user_id: 'user_id',
  team_id: 'team_id',
  amount: 'amount',
  expires_at: 'expires_at',
  metadata: 'metadata',
}

async function add(
  { body, send }: Asked,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<Fields> {
  return send({
    method: 'POST',
    path,
    body: pick(body, { ...LOT, ...fields }),
    idempotency_key: text(body.idempotency_key),
  })
}

export const creditTranslations: readonly Translation[] = [
  {
    method: 'get',
    path: '/v1/credits/balance',
    summary: "Get the credits of the customer's wallet",
    scope: 'credits:read',
    status: 200,
    async run({ c, send }) {
      const balance = await send({ method: 'GET', path: '/v1/credits/balance' })
      return jsonResponse(c, {
        data: {
          balance: String(balance.balance),
          reservedBalance: String(balance.reserved_balance),
          availableBalance: String(balance.available_balance),
          currency: 'USD',
        },
      })
    },
  },
  { ...balanceOfUser, path: '/v1/users/{userId}/credits' },
  { ...balanceOfUser, path: '/v1/customers/{customerId}/users/{userId}/credits' },
  { ...transactionsOfUser, path: '/v1/users/{userId}/transactions' },
  { ...transactionsOfUser, path: '/v1/customers/{customerId}/users/{userId}/transactions' },
  {
    method: 'post',
    path: '/v1/credits/purchase',
    summary: 'Purchase credits for the customer, a user or a team',
    scope: 'credits:write',
    status: 200,
    problems: ['conflict', 'idempotency_mismatch', 'too_many_open'],
    async run(asked) {
      const added = await add(asked, '/v1/credits/purchase', {
        purchase_price: 'price_usd',
        price_usd: 'price_usd',
      })
      return jsonResponse(asked.c, {
        data: { transactionId: added.transaction_id, newBalance: number(added.balance_after) },
      })
    },
  },
  {
    method: 'post',
    path: '/v1/credits/grant',
    summary: 'Grant credits to the customer, a user or a team',
    scope: 'credits:write',
    status: 200,
    problems: ['idempotency_mismatch', 'too_many_open'],
    async run(asked) {
      const added = await add(asked, '/v1/credits/grant', { reason: 'reason' })
      return jsonResponse(asked.c, {
        data: {
          transactionId: added.transaction_id,
          walletId: added.wallet_id,
          newBalance: String(added.balance_after),
          amount: String(added.amount),
        },
      })
    },
  },
]
