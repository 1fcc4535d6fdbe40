import { type Act, type CreditAct, type EventAct, type Every, payloadOf } from './commands.ts'

/**
 * A simple and slow reference implementation of the ledger's rules for credits. Amounts are BigInt, no data is removed,
 * and every look-up is a linear search. It shares no code with the ledger.
 */

export type Part = readonly [lot: number, amount: bigint]

export interface ReferenceEntry {
  readonly number: number
  readonly type: string
  readonly wallet: number
  readonly amount: bigint
  readonly balance_after: bigint
  readonly lots: readonly Part[]
  readonly at_ms: number
  readonly effective_at_ms: number
  readonly is_event: boolean
  given_back: bigint
  voided: boolean
}

interface Wallet {
  readonly number: number
  readonly owner: string
  limit: bigint
  owed: bigint
}

interface Lot {
  readonly number: number
  readonly wallet: number
  readonly paid: boolean
  readonly priority: number
  readonly expires_ms: number
  readonly grant: number | null
  readonly starts_ms: number
  begun: boolean
  left: bigint
}

interface Hold {
  readonly number: number
  readonly wallet: number
  readonly at_ms: number
  readonly credits: bigint
  readonly user: string | null
  readonly team: string | null
  expires_ms: number
  captured: bigint
  status: 'open' | 'captured' | 'released' | 'expired'
  parts: Part[]
}

interface Grant {
  readonly number: number
  readonly wallet: number
  readonly from_ms: number
  readonly every: Every
  readonly amount: bigint
  readonly paid: boolean
  readonly priority: number
  readonly life_ms: number
  readonly rollover: bigint | null
  readonly target: bigint | null
  times: number
  stopped: boolean
  /** The rollovers so far. `room` is the maximum number of returned credits that a rollover would still have kept. */
  readonly rollovers: { readonly at_ms: number; room: bigint }[]
}

interface Done {
  readonly entry?: ReferenceEntry
  readonly other?: ReferenceEntry
  readonly wallet?: number
  readonly lot?: number
  readonly grant?: boolean
  readonly hold?: Hold
  readonly available?: bigint
  readonly shortfall?: bigint
  readonly balance?: bigint
  readonly expired?: bigint
  readonly items?: readonly Said[]
}

export type Refused = { readonly kind: 'refused'; readonly code: string }
export type Said = Refused | ({ readonly kind: 'done' | 'replayed' } & Done)

const MOST = 8_000_000_000_000_000n
const MOST_LOTS = 1000
const OVERDRAFT = 0
const DAY = 86_400_000
const FOR_EVER = { paid: true, priority: 50, expires_ms: Number.POSITIVE_INFINITY, grant: null }

const no = (code: string): Refused => ({ kind: 'refused', code })
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((a, b) => a + b, 0n)

export class Reference {
  clock_ms: number
  readonly entries: ReferenceEntry[] = []
  readonly wallets: Wallet[] = [{ number: 1, owner: 'customer', limit: 0n, owed: 0n }]
  readonly lots: Lot[] = []
  readonly holds: Hold[] = []
  readonly grants: Grant[] = []
  readonly keys = new Map<string, { readonly payload: string; readonly said: Done; readonly at_ms: number }>()
  private last_ms: number

  constructor(clock_ms: number, opened_at_ms: number) {
    this.clock_ms = clock_ms
    this.last_ms = opened_at_ms
  }

  /** The current time of the ledger, which never goes back. */
  get now(): number {
    return Math.max(this.clock_ms, this.last_ms)
  }

  act(act: Act): Said {
    const payload = payloadOf(act)
    const used = act.key === null ? undefined : this.keys.get(act.key)
    if (used)
      return used.payload === payload ? { ...used.said, kind: 'replayed' } : no('idempotency_mismatch')
    const said = this.first(act)
    if (said.kind === 'refused') return said
    if (act.key !== null) this.keys.set(act.key, { payload, said, at_ms: this.now })
    if (act.op !== 'batch' || act.key !== null) this.last_ms = this.now
    return said
  }

  /** Returns the owner's wallet after applying its due items; undefined if the owner has no wallet. */
  read(owner: string): Wallet | undefined {
    const wallet = this.walletOf(owner)
    if (wallet) this.settle(wallet)
    return wallet
  }

  /** Applies the due items of all wallets, in the order of their earliest due times. */
  settleAll(): void {
    const due = this.wallets.map((wallet) => ({
      wallet,
      at_ms: Math.min(...this.lotsOf(wallet.number).map(({ expires_ms }) => expires_ms)),
    }))
    due.sort((a, b) => a.at_ms - b.at_ms || (a.wallet.owner < b.wallet.owner ? -1 : 1))
    for (const { wallet } of due) this.settle(wallet)
  }

  balance({ number, owed }: Wallet): bigint {
    return sum([...this.lotsOf(number), ...this.pendingOf(number)].map(({ left }) => left)) - owed
  }

  held(wallet: number, lot: number): bigint {
    const parts = this.openHolds(wallet).flatMap((hold) => hold.parts)
    return sum(parts.filter(([number]) => number === lot).map(([, part]) => part))
  }

  reserved(wallet: Wallet): bigint {
    return sum(this.openHolds(wallet.number).flatMap(({ parts }) => parts.map(([, part]) => part)))
  }

  /** Returns the lots of a wallet that have started and have credits left, in burn order. */
  lotsOf(wallet: number): Lot[] {
    return this.lots.filter((lot) => lot.wallet === wallet && lot.begun && lot.left > 0n).sort(burnsBefore)
  }

  /** Returns the lots of a wallet that have not started yet and have credits left. */
  pendingOf(wallet: number): Lot[] {
    return this.lots.filter((lot) => lot.wallet === wallet && !lot.begun && lot.left > 0n)
  }

  openHolds(wallet: number): Hold[] {
    return this.holds.filter((hold) => hold.wallet === wallet && hold.status === 'open')
  }

  /** Applies the due items of a wallet in the order of their due times. Each item takes effect at its own due time. */
  settle(wallet: Wallet): void {
    for (;;) {
      const due = [
        ...this.openHolds(wallet.number).map((hold) => ({
          at_ms: hold.expires_ms,
          apply: () => this.end(hold, 'expired', hold.expires_ms),
        })),
        ...this.lotsOf(wallet.number)
          .filter((lot) => this.free(lot) > 0n)
          .map((lot) => ({
            at_ms: lot.expires_ms,
            apply: () => this.expire(lot, this.free(lot), lot.expires_ms),
          })),
        ...this.grants
          .filter((grant) => grant.wallet === wallet.number && !grant.stopped)
          .map((grant) => ({ at_ms: nextOf(grant), apply: () => this.recur(wallet, grant) })),
        ...this.pendingOf(wallet.number).map((lot) => ({
          at_ms: lot.starts_ms,
          apply: () => this.begin(wallet, lot),
        })),
      ].sort((a, b) => a.at_ms - b.at_ms)[0]
      if (!due || due.at_ms > this.now) return
      this.last_ms = this.now
      due.apply()
    }
  }

  private first(act: Act): Said {
    switch (act.op) {
      case 'credit':
        return this.credit(act)
      case 'event':
        return this.event(act)
      case 'batch': {
        // The Worker refuses an event with the same idempotency key as its batch.
        const items = act.events.map((event) =>
          event.key !== null && event.key === act.key ? no('idempotency_mismatch') : this.act(event),
        )
        return { kind: 'done', items }
      }
      case 'hold': {
        const wallet = this.payer(act)
        this.settle(wallet)
        const credits = BigInt(act.amount)
        if (credits > this.spendable(wallet)) return no('insufficient_credits')
        const hold: Hold = {
          number: this.holds.length + 1,
          wallet: wallet.number,
          at_ms: this.now,
          credits,
          user: act.user,
          team: act.team,
          expires_ms: this.now + act.lifetime_ms,
          captured: 0n,
          status: 'open',
          parts: this.spread(wallet, credits),
        }
        this.holds.push(hold)
        return this.saidOf(hold)
      }
      case 'capture':
      case 'release':
      case 'extend':
        return this.onHold(act)
      case 'void': {
        const past = this.entry(act.entry)
        if (past.voided) return no('already_voided')
        const said = this.giveBack(past, -past.amount - past.given_back, 'VOID')
        if (said.kind === 'done') past.voided = true
        return said
      }
      case 'refund':
        return this.refund(this.entry(act.entry), act.amount === null ? null : BigInt(act.amount))
      case 'revoke':
        return this.revoke(this.lots[act.lot - 1], act.amount === null ? null : BigInt(act.amount))
      case 'transfer':
        return this.transfer(act.from, act.to, BigInt(act.amount))
      case 'adjust':
        return this.adjust(act.owner, BigInt(act.amount))
      case 'overdraft': {
        const wallet = this.walletOf(act.owner)
        if (wallet) this.settle(wallet)
        const used = wallet ? wallet.owed + this.held(wallet.number, OVERDRAFT) : 0n
        if (used > BigInt(act.limit)) return no('conflict')
        const changed = wallet ?? this.openWallet(act.owner)
        changed.limit = BigInt(act.limit)
        return { kind: 'done', wallet: changed.number, balance: this.balance(changed) }
      }
      case 'stop': {
        const grant = this.grants[act.grant - 1]
        const wallet = this.wallet(grant?.wallet ?? 1)
        this.settle(wallet)
        if (!grant || grant.stopped) return no('not_found')
        grant.stopped = true
        return { kind: 'done', wallet: wallet.number, balance: this.balance(wallet) }
      }
    }
  }

  private credit(act: CreditAct): Said {
    const expires_ms =
      act.expires_in_ms === null ? Number.POSITIVE_INFINITY : this.clock_ms + act.expires_in_ms
    const starts_ms = act.starts_in_ms === null ? null : this.clock_ms + act.starts_in_ms
    if (expires_ms <= this.now || (starts_ms !== null && starts_ms <= this.now)) return no('invalid_request')
    const known = this.walletOf(act.owner)
    if (known) this.settle(known)
    const amount = BigInt(act.amount)
    const full = known && this.full(known, amount, 1)
    if (full) return no(full)
    const wallet = known ?? this.openWallet(act.owner)
    const { paid, priority, recurring } = act
    const number = this.lots.length + 1
    if (recurring) {
      this.grants.push({
        number,
        wallet: wallet.number,
        from_ms: this.now,
        every: recurring.every,
        amount,
        paid,
        priority,
        life_ms: expires_ms - this.now,
        rollover: recurring.rollover === null ? null : BigInt(recurring.rollover),
        target: recurring.target === null ? null : BigInt(recurring.target),
        times: 1,
        stopped: false,
        rollovers: [],
      })
    }
    const lot = { paid, priority, expires_ms, grant: recurring ? number : null }
    const parts = starts_ms === null ? this.put(wallet, lot, amount) : [[number, amount] as const]
    if (starts_ms !== null) {
      this.lots.push({ ...lot, number, wallet: wallet.number, starts_ms, begun: false, left: amount })
    }
    return {
      kind: 'done',
      entry: this.append(act.type, wallet, amount, parts),
      lot: number,
      grant: recurring !== null,
    }
  }

  private event(act: EventAct): Said {
    if (act.stale) return no('customer_mismatch')
    const wallet = this.walletOfHold(act) ?? this.payer(act)
    const amount = BigInt(act.amount)
    if (act.hold !== null) {
      const hold = this.holds[act.hold - 1]
      if (wallet.number !== (hold?.wallet ?? 1)) return no('invalid_request')
      this.settle(wallet)
      if (hold?.status === 'open') {
        const { parts } = this.capture(wallet, hold, amount)
        const entry = this.append('BURN', wallet, sum(parts.map(([, part]) => part)), parts, this.now, true)
        this.end(hold, 'captured', this.now)
        return { kind: 'done', entry }
      }
    }
    this.settle(wallet)
    if (amount > this.spendable(wallet)) return no('insufficient_credits')
    return {
      kind: 'done',
      entry: this.append('BURN', wallet, -amount, this.take(wallet, amount), this.now, true),
    }
  }

  private onHold(act: Act & { op: 'capture' | 'release' | 'extend' }): Said {
    const hold = this.holds[act.hold - 1]
    const wallet = this.wallet(hold?.wallet ?? 1)
    this.settle(wallet)
    if (!hold) return no('not_found')
    if (hold.status !== 'open') return no('hold_not_open')
    if (act.op === 'extend') hold.expires_ms = this.now + act.lifetime_ms
    if (act.op === 'release') this.end(hold, 'released', this.now)
    if (act.op !== 'capture') return this.saidOf(hold)
    const { parts, shortfall } = this.capture(wallet, hold, BigInt(act.amount))
    const entry = this.append(
      'BURN',
      wallet,
      sum(parts.map(([, part]) => part)),
      parts,
      this.now,
      act.by_event,
    )
    if (act.final) this.end(hold, 'captured', this.now)
    return { kind: 'done', entry, hold: { ...hold }, shortfall, balance: this.balance(wallet) }
  }

  /**
   * Takes credits from the hold first, and then from unreserved credits. Uses the part of the hold that reserves
   * overdraft last.
   */
  private capture(wallet: Wallet, hold: Hold, wanted: bigint): { parts: Part[]; shortfall: bigint } {
    const beyond = this.spendable(wallet)
    const moved = new Map<number, bigint>()
    const add = ([lot, amount]: Part) => moved.set(lot, (moved.get(lot) ?? 0n) + amount)
    let open = wanted
    let unheld = 0n
    hold.parts = hold.parts.flatMap(([number, held]): Part[] => {
      const used = least(open, held)
      open -= used
      if (number === OVERDRAFT) unheld = used
      else if (used > 0n) {
        this.lot(number).left -= used
        add([number, -used])
      }
      return held > used ? [[number, held - used]] : []
    })
    const above = least(open, beyond > 0n ? beyond : 0n)
    for (const part of this.take(wallet, unheld + above)) add(part)
    hold.captured += wanted - open + above
    return { parts: [...moved], shortfall: open - above }
  }

  private end(hold: Hold, status: Hold['status'], at_ms: number): void {
    const { parts } = hold
    hold.status = status
    hold.parts = []
    for (const [number, part] of parts) {
      if (number === OVERDRAFT) continue
      const gone = this.lapsed(this.lot(number), part, hold.at_ms, at_ms)
      if (gone > 0n) this.expire(this.lot(number), gone, at_ms)
    }
  }

  /** Returns the part of a returned amount that would have expired if the credits had stayed in their lot. */
  private lapsed(lot: Lot, amount: bigint, since_ms: number, now_ms: number): bigint {
    if (lot.expires_ms <= now_ms) return amount
    const grant = this.grants.find(({ number, wallet }) => number === lot.grant && wallet === lot.wallet)
    const since = grant?.rollovers.filter(({ at_ms }) => at_ms > since_ms) ?? []
    const kept = since.reduce((most, { room }) => least(most, room), amount)
    for (const rollover of since) rollover.room -= kept
    return amount - kept
  }

  private expire(lot: Lot, part: bigint, at_ms: number): void {
    lot.left -= part
    this.append('EXPIRATION', this.wallet(lot.wallet), -part, [[lot.number, -part]], at_ms)
  }

  /** Makes a lot usable at its start time. The lot first repays the overdraft. */
  private begin(wallet: Wallet, lot: Lot): void {
    lot.begun = true
    const repaid = this.repay(wallet, lot.left)
    if (repaid === 0n) return
    lot.left -= repaid
    const parts: Part[] = [
      [lot.number, -repaid],
      [OVERDRAFT, repaid],
    ]
    this.append('ADJUSTMENT', wallet, 0n, parts, lot.starts_ms)
  }

  private recur(wallet: Wallet, grant: Grant): void {
    const at_ms = nextOf(grant)
    grant.times++
    const { paid, priority, number, rollover, target } = grant
    const before = this.lots.filter((lot) => lot.wallet === wallet.number && lot.grant === number)
    const carried = sum(before.map((lot) => this.free(lot)))
    let above = rollover === null ? 0n : carried - rollover
    if (rollover !== null) grant.rollovers.push({ at_ms, room: rollover - least(carried, rollover) })
    for (const lot of before) {
      const part = least(above, this.free(lot))
      if (part <= 0n) continue
      above -= part
      this.expire(lot, part, at_ms)
    }
    const kept = sum(before.map((lot) => this.free(lot)))
    const amount = target === null ? grant.amount : target - least(kept, target)
    if (amount === 0n || this.full(wallet, amount, 1)) return
    const parts = this.put(
      wallet,
      { paid, priority, expires_ms: at_ms + grant.life_ms, grant: number },
      amount,
    )
    this.append('GRANT', wallet, amount, parts, at_ms)
  }

  private refund(past: ReferenceEntry, asked: bigint | null): Said {
    if (past.type === 'BURN') {
      const rest = -past.amount - past.given_back
      if (rest === 0n || (asked ?? rest) > rest) return no('conflict')
      return this.giveBack(past, asked ?? rest, 'REFUND')
    }
    if (past.type !== 'PURCHASE') return no('conflict')
    const wallet = this.wallet(past.wallet)
    this.settle(wallet)
    const lot = past.lots.map(([number]) => this.lots[number - 1]).find((found) => found !== undefined)
    return lot ? this.takeFree('REFUND', wallet, lot, asked) : no('conflict')
  }

  private revoke(lot: Lot | undefined, asked: bigint | null): Said {
    if (!lot) return no('not_found')
    const wallet = this.wallet(lot.wallet)
    // The ledger does not know the wallet of a lot without credits, so it cannot apply the due items of this wallet.
    if (lot.left === 0n) return no('conflict')
    this.settle(wallet)
    return this.takeFree('ADJUSTMENT', wallet, lot, asked)
  }

  private takeFree(type: string, wallet: Wallet, lot: Lot, asked: bigint | null): Said {
    const free = this.free(lot)
    const amount = asked ?? free
    if (free === 0n || amount > free) return no('conflict')
    lot.left -= amount
    return { kind: 'done', entry: this.append(type, wallet, -amount, [[lot.number, -amount]]) }
  }

  /**
   * Returns credits to the lots from which they were taken, in the reverse order. Credits that return to an expired lot
   * expire immediately.
   */
  private giveBack(past: ReferenceEntry, amount: bigint, type: string): Said {
    const wallet = this.wallet(past.wallet)
    this.settle(wallet)
    const back: [number, bigint][] = []
    let skip = past.given_back
    let open = amount
    for (const [number, burned] of past.lots.toReversed()) {
      const skipped = least(skip, -burned)
      skip -= skipped
      const part = least(open, -burned - skipped)
      open -= part
      if (part > 0n) back.push([number, part])
    }
    const opened = back.filter(([number]) => !((this.lots[number - 1]?.left ?? 0n) > 0n)).length
    const full = this.full(wallet, amount, opened)
    if (full) return no(full)
    const parts: Part[] = []
    const expired: Part[] = []
    for (const [number, part] of back) {
      const gone = number === OVERDRAFT ? 0n : this.lapsed(this.lot(number), part, past.at_ms, this.now)
      const repaid = this.repay(wallet, part - gone)
      if (repaid > 0n) parts.push([OVERDRAFT, repaid])
      const rest = part - repaid
      if (rest === 0n) continue
      if (number === OVERDRAFT) {
        parts.push(...this.put(wallet, FOR_EVER, rest))
        continue
      }
      this.lot(number).left += rest
      parts.push([number, rest])
      if (gone > 0n) expired.push([number, gone])
    }
    past.given_back += amount
    const entry = this.append(type, wallet, amount, parts)
    for (const [number, part] of expired) this.expire(this.lot(number), part, this.now)
    return {
      kind: 'done',
      entry,
      balance: this.balance(wallet),
      expired: sum(expired.map(([, part]) => part)),
    }
  }

  private transfer(from: string, to: string, amount: bigint): Said {
    if (from === to) return no('invalid_request')
    const source = this.walletOf(from)
    if (!source) return no('not_found')
    this.settle(source)
    const taken = this.spread(source, amount)
    if (taken.some(([number]) => number === OVERDRAFT)) return no('insufficient_credits')
    const known = this.walletOf(to)
    if (known) this.settle(known)
    const full = known && this.full(known, amount, taken.length)
    if (full) return no(full)
    const target = known ?? this.openWallet(to)
    const into = taken.flatMap(([number, part]) => {
      const lot = this.lot(number)
      lot.left -= part
      return this.put(target, lot, part)
    })
    const out = taken.map(([number, part]): Part => [number, -part])
    const entry = this.append('TRANSFER', source, -amount, out)
    return { kind: 'done', entry, other: this.append('TRANSFER', target, amount, into) }
  }

  private adjust(owner: string, amount: bigint): Said {
    const wallet = this.walletOf(owner)
    if (!wallet) return no('not_found')
    this.settle(wallet)
    if (amount < 0n) {
      if (-amount > this.spendable(wallet)) return no('insufficient_credits')
      return { kind: 'done', entry: this.append('ADJUSTMENT', wallet, amount, this.take(wallet, -amount)) }
    }
    const full = this.full(wallet, amount, 1)
    if (full) return no(full)
    const parts = this.put(wallet, { ...FOR_EVER, paid: false }, amount)
    return { kind: 'done', entry: this.append('ADJUSTMENT', wallet, amount, parts) }
  }

  private full(wallet: Wallet, amount: bigint, lots: number): string | undefined {
    const open = this.lotsOf(wallet.number).length + this.pendingOf(wallet.number).length
    if (open + lots > MOST_LOTS) return 'too_many_open'
    return this.balance(wallet) + amount > MOST ? 'conflict' : undefined
  }

  /**
   * Returns the credits that can be burned or held now. The sum of all holds never exceeds the largest possible amount.
   */
  private spendable(wallet: Wallet): bigint {
    const held = this.reserved(wallet)
    return least(this.balance(wallet) - held - this.pending(wallet) + wallet.limit, MOST - held)
  }

  private pending({ number }: Wallet): bigint {
    return sum(this.pendingOf(number).map(({ left }) => left))
  }

  private free(lot: Lot): bigint {
    return lot.left - this.held(lot.wallet, lot.number)
  }

  /**
   * Returns the parts that make up `amount`: first the unreserved credits of lots in burn order, and then the
   * overdraft.
   */
  private spread(wallet: Wallet, amount: bigint): Part[] {
    let open = amount
    const parts = this.lotsOf(wallet.number).map((lot): Part => {
      const part = least(open, this.free(lot))
      open -= part
      return [lot.number, part]
    })
    return [...parts, [OVERDRAFT, open] as const].filter(([, part]) => part > 0n)
  }

  private take(wallet: Wallet, amount: bigint): Part[] {
    return this.spread(wallet, amount).map(([number, part]): Part => {
      if (number === OVERDRAFT) wallet.owed += part
      else this.lot(number).left -= part
      return [number, -part]
    })
  }

  /** Adds a new lot to a wallet. The lot first repays the overdraft. */
  private put(
    wallet: Wallet,
    lot: Pick<Lot, 'paid' | 'priority' | 'expires_ms' | 'grant'>,
    amount: bigint,
  ): Part[] {
    const { paid, priority, expires_ms, grant } = lot
    const repaid = this.repay(wallet, amount)
    const number = this.lots.length + 1
    const left = amount - repaid
    const begun = { starts_ms: this.now, begun: true }
    this.lots.push({ number, wallet: wallet.number, paid, priority, expires_ms, grant, left, ...begun })
    const parts: Part[] = [
      [number, left],
      [OVERDRAFT, repaid],
    ]
    return parts.filter(([, part]) => part > 0n)
  }

  private repay(wallet: Wallet, amount: bigint): bigint {
    const repaid = least(wallet.owed, amount)
    wallet.owed -= repaid
    return repaid
  }

  private append(
    type: string,
    wallet: Wallet,
    amount: bigint,
    lots: readonly Part[],
    effective_at_ms = this.now,
    is_event = false,
  ): ReferenceEntry {
    const entry: ReferenceEntry = {
      number: this.entries.length + 1,
      type,
      wallet: wallet.number,
      amount,
      balance_after:
        (this.entries.findLast((other) => other.wallet === wallet.number)?.balance_after ?? 0n) + amount,
      lots,
      at_ms: this.now,
      effective_at_ms,
      is_event,
      given_back: 0n,
      voided: false,
    }
    this.last_ms = this.now
    this.entries.push(entry)
    return entry
  }

  private saidOf(hold: Hold): Said {
    const wallet = this.wallet(hold.wallet)
    return {
      kind: 'done',
      hold: { ...hold },
      available: this.balance(wallet) - this.reserved(wallet) - this.pending(wallet),
    }
  }

  /**
   * Returns the wallet of the hold that an event captures, if the hold is open and has the same user and team. The user
   * or the team can have got a separate wallet after the hold was opened.
   */
  private walletOfHold({ hold: number, user, team }: EventAct): Wallet | undefined {
    const hold = number === null ? undefined : this.holds[number - 1]
    if (hold?.status !== 'open' || hold.expires_ms <= this.now) return undefined
    return hold.user === user && hold.team === team ? this.wallet(hold.wallet) : undefined
  }

  private payer({ team, user }: { readonly team: string | null; readonly user: string | null }): Wallet {
    return this.walletOf(`team:${team}`) ?? this.walletOf(`user:${user}`) ?? this.wallet(1)
  }

  private openWallet(owner: string): Wallet {
    const wallet: Wallet = { number: this.wallets.length + 1, owner, limit: 0n, owed: 0n }
    this.wallets.push(wallet)
    return wallet
  }

  private walletOf(owner: string): Wallet | undefined {
    return this.wallets.find((wallet) => wallet.owner === owner)
  }

  private wallet(number: number): Wallet {
    return known(this.wallets, number)
  }

  private lot(number: number): Lot {
    return known(this.lots, number)
  }

  private entry(number: number): ReferenceEntry {
    return known(this.entries, number)
  }
}

/**
 * Compares two lots in burn order: by priority, then by expiry (lots that never expire are last), then promo before
 * paid, and then by age.
 */
function burnsBefore(a: Lot, b: Lot): number {
  if (a.priority !== b.priority) return a.priority - b.priority
  if (a.expires_ms !== b.expires_ms) return a.expires_ms < b.expires_ms ? -1 : 1
  if (a.paid !== b.paid) return a.paid ? 1 : -1
  return a.number - b.number
}

/** Returns the time of the next grant of a recurring grant, which is calculated from the time of the first one. */
function nextOf({ from_ms, every, times }: Grant): number {
  if (every === 'day' || every === 'week') return from_ms + times * (every === 'day' ? DAY : 7 * DAY)
  const months = every === 'month' ? 1 : every === 'quarter' ? 3 : 12
  const from = new Date(from_ms)
  const next = new Date(from_ms)
  next.setUTCMonth(from.getUTCMonth() + times * months)
  // Uses the last day of the month if the month is too short. `Date` would move the 31st into the following month.
  if (next.getUTCDate() !== from.getUTCDate()) next.setUTCDate(0)
  return next.getTime()
}

function known<T>(list: readonly T[], number: number): T {
  const found = list[number - 1]
  if (found === undefined) throw new Error(`the reference has no number ${number}`)
  return found
}
