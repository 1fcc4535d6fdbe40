/**
 * A ledger as the contract tells it, written to be seen to be right and not to be fast: BigInt amounts, lists that are
 * searched from the front, nothing cached and nothing shared with the ledger that it judges.
 */

export interface ReferenceCredit extends Keyed {
  readonly type: 'GRANT' | 'PURCHASE'
  /** `customer`, `user:<id>` or `team:<id>`. */
  readonly owner: string
  readonly amount: bigint
  readonly paid: boolean
  readonly priority: number
  /** Infinity: never. */
  readonly expires_at_ms: number
}

export interface ReferenceEvent extends Keyed {
  readonly amount: bigint
  readonly user: string | null
  readonly team: string | null
  /** Refused before it came to the ledger, for this. */
  readonly refused: string | null
}

export interface ReferenceBatch extends Keyed {
  readonly events: readonly ReferenceEvent[]
}

export interface ReferenceEntry {
  readonly number: number
  readonly type: string
  readonly wallet: number
  readonly amount: bigint
  readonly balance_after: bigint
  readonly lots: readonly (readonly [number: number, amount: bigint])[]
  readonly at_ms: number
  /** When a lot expired; else the same as `at_ms`. */
  readonly effective_at_ms: number
}

export type ReferenceAnswer =
  | { readonly kind: 'done' | 'replayed'; readonly entry: ReferenceEntry }
  | { readonly kind: 'refused'; readonly code: string }

export type ReferenceBatchAnswer =
  | { readonly kind: 'done' | 'replayed'; readonly items: readonly ReferenceAnswer[] }
  | { readonly kind: 'refused'; readonly code: string }

interface Lot {
  readonly number: number
  readonly paid: boolean
  readonly priority: number
  readonly expires_at_ms: number
  left: bigint
}

export interface ReferenceWallet {
  readonly number: number
  readonly owner: string
  readonly lots: Lot[]
}

interface Keyed {
  readonly key: string | null
  readonly payload: string
}

type Answered = { readonly entry: ReferenceEntry } | { readonly items: readonly ReferenceAnswer[] }

const MOST = 8_000_000_000_000_000n
const MOST_LOTS = 1000
const MISMATCH = { kind: 'refused', code: 'idempotency_mismatch' } as const

/** Priority, then expiry (never last), then promo before paid, then the older. */
function burnOrder(a: Lot, b: Lot): number {
  if (a.priority !== b.priority) return a.priority - b.priority
  if (a.expires_at_ms !== b.expires_at_ms) return a.expires_at_ms < b.expires_at_ms ? -1 : 1
  if (a.paid !== b.paid) return a.paid ? 1 : -1
  return a.number - b.number
}

export function balanceOf(wallet: ReferenceWallet): bigint {
  return wallet.lots.reduce((sum, lot) => sum + lot.left, 0n)
}

export class ReferenceLedger {
  readonly entries: ReferenceEntry[] = []
  readonly wallets: ReferenceWallet[] = [{ number: 1, owner: 'customer', lots: [] }]
  readonly keys = new Map<string, Keyed & { readonly at_ms: number; readonly answer: Answered }>()
  private lots = 0
  private last_ms: number

  /** What the machine's clock says; the ledger's own time never runs backwards. */
  clock_ms: number

  constructor(opened_at_ms: number) {
    this.last_ms = opened_at_ms
    this.clock_ms = opened_at_ms
  }

  get at_ms(): number {
    return Math.max(this.clock_ms, this.last_ms)
  }

  credit(credit: ReferenceCredit): ReferenceAnswer {
    const known = this.lookUp(credit)
    if (known) return 'entry' in known ? { kind: 'replayed', entry: known.entry } : MISMATCH
    if (credit.expires_at_ms <= this.at_ms) return { kind: 'refused', code: 'invalid_request' }
    const existing = this.wallets.find(({ owner }) => owner === credit.owner)
    if (existing) this.expire(existing)
    if (existing && existing.lots.length >= MOST_LOTS) return { kind: 'refused', code: 'too_many_open' }
    if (existing && balanceOf(existing) + credit.amount > MOST) return { kind: 'refused', code: 'conflict' }
    const wallet = existing ?? { number: this.wallets.length + 1, owner: credit.owner, lots: [] }
    if (!existing) this.wallets.push(wallet)
    const { paid, priority, expires_at_ms, amount } = credit
    const number = ++this.lots
    wallet.lots.push({ number, paid, priority, expires_at_ms, left: amount })
    wallet.lots.sort(burnOrder)
    const entry = this.append(credit.type, wallet, amount, [[number, amount]])
    this.use(credit, { entry })
    return { kind: 'done', entry }
  }

  event(event: ReferenceEvent): ReferenceAnswer {
    const known = this.lookUp(event)
    if (known) return 'entry' in known ? { kind: 'replayed', entry: known.entry } : MISMATCH
    if (event.refused !== null) return { kind: 'refused', code: event.refused }
    const wallet = this.payer(event)
    this.expire(wallet)
    if (balanceOf(wallet) < event.amount) return { kind: 'refused', code: 'insufficient_credits' }
    const taken: [number, bigint][] = []
    let open = event.amount
    while (open > 0n) {
      const lot = wallet.lots[0]
      if (!lot) throw new Error('the reference ran out of lots')
      let part = open
      if (lot.left < open) part = lot.left
      lot.left -= part
      open -= part
      taken.push([lot.number, -part])
      if (lot.left === 0n) wallet.lots.shift()
    }
    const entry = this.append('BURN', wallet, -event.amount, taken)
    this.use(event, { entry })
    return { kind: 'done', entry }
  }

  batch(batch: ReferenceBatch): ReferenceBatchAnswer {
    const known = this.lookUp(batch)
    if (known) return 'items' in known ? { kind: 'replayed', items: known.items } : MISMATCH
    const items = batch.events.map((event) =>
      event.key !== null && event.key === batch.key ? MISMATCH : this.event(event),
    )
    this.use(batch, { items })
    return { kind: 'done', items }
  }

  /** A look at a wallet: what has fallen due in it is applied. Undefined when the owner has none. */
  read(owner: string): ReferenceWallet | undefined {
    const wallet = this.wallets.find((other) => other.owner === owner)
    if (wallet) this.expire(wallet)
    return wallet
  }

  /** Applies what has fallen due anywhere, the longest overdue wallet first. */
  settle(): void {
    const due = this.wallets.map((wallet) => ({
      wallet,
      at: Math.min(...wallet.lots.map((l) => l.expires_at_ms)),
    }))
    due.sort((a, b) => a.at - b.at || (a.wallet.owner < b.wallet.owner ? -1 : 1))
    for (const { wallet } of due) this.expire(wallet)
  }

  private expire(wallet: ReferenceWallet): void {
    const at_ms = this.at_ms
    const over = wallet.lots.filter((lot) => lot.expires_at_ms <= at_ms)
    // Those of the same moment in burn order, which they are in already.
    over.sort((a, b) => a.expires_at_ms - b.expires_at_ms)
    for (const lot of over) {
      wallet.lots.splice(wallet.lots.indexOf(lot), 1)
      this.append('EXPIRATION', wallet, -lot.left, [[lot.number, -lot.left]], lot.expires_at_ms)
    }
  }

  private payer({ team, user }: ReferenceEvent): ReferenceWallet {
    for (const owner of [`team:${team}`, `user:${user}`, 'customer']) {
      const wallet = this.wallets.find((other) => other.owner === owner)
      if (wallet) return wallet
    }
    throw new Error('the reference has no customer wallet')
  }

  /** What the key was answered; null when it is free; neither one when it stands for something else. */
  private lookUp({ key, payload }: Keyed): Answered | typeof MISMATCH | null {
    const used = key === null ? undefined : this.keys.get(key)
    if (!used) return null
    return used.payload === payload ? used.answer : MISMATCH
  }

  private use({ key, payload }: Keyed, answer: Answered): void {
    if (key === null) return
    this.last_ms = this.at_ms
    this.keys.set(key, { key, payload, at_ms: this.at_ms, answer })
  }

  private append(
    type: string,
    wallet: ReferenceWallet,
    amount: bigint,
    lots: ReferenceEntry['lots'],
    effective_at_ms = this.at_ms,
  ): ReferenceEntry {
    this.last_ms = this.at_ms
    const entry: ReferenceEntry = {
      number: this.entries.length + 1,
      type,
      wallet: wallet.number,
      amount,
      balance_after: balanceOf(wallet),
      lots,
      at_ms: this.at_ms,
      effective_at_ms,
    }
    this.entries.push(entry)
    return entry
  }
}
