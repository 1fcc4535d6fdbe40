import { expect } from 'vitest'
import { renderCredit } from '../../src/credits/render.ts'
import { renderBatchAnswer, renderEventAnswer } from '../../src/events/render.ts'
import { stringifyJson } from '../../src/http/output/json.ts'
import type { BatchAnswer, EventAnswer } from '../../src/ledger/model/answers.ts'
import type { Entry } from '../../src/ledger/model/journal.ts'
import type { LedgerIds } from '../../src/ledger/model/ledger-ids.ts'
import type { CreditMessage, CreditResult } from '../../src/ledger/model/messages/credits.ts'
import type { IngestItem, IngestMessage, IngestResult } from '../../src/ledger/model/messages/events.ts'
import type { Wallet } from '../../src/ledger/model/wallet.ts'
import { batch, eventItem, grant, single } from '../support/messages.ts'
import type { BatchSpec, CreditSpec, EventSpec, RequestSpec } from './commands.ts'
import {
  balanceOf,
  type ReferenceAnswer,
  type ReferenceBatchAnswer,
  type ReferenceEntry,
  type ReferenceEvent,
  ReferenceLedger,
} from './reference-ledger.ts'

export type Request =
  | { readonly rpc: 'ingest'; readonly message: IngestMessage }
  | { readonly rpc: 'credit'; readonly message: CreditMessage }

/** What a ledger under judgement holds: all its wallets, and the entries that came since it was looked at last. */
export interface Snapshot {
  readonly wallets: readonly Wallet[]
  readonly entries: readonly Entry[]
}

/** Sends what the generator thought of to the ledger and to the reference, and compares what both say and hold. */
export class Judge {
  readonly reference: ReferenceLedger
  /** Every entry the ledger has shown, oldest first. */
  readonly entries: Entry[] = []
  /** What was answered under each key, byte for byte. */
  private readonly bodies = new Map<string, string>()
  private readonly sums = new Map<number, bigint>()
  private readonly ids: LedgerIds

  constructor(ids: LedgerIds, opened_at_ms: number) {
    this.ids = ids
    this.reference = new ReferenceLedger(opened_at_ms)
  }

  requestOf(spec: RequestSpec): Request {
    switch (spec.op) {
      case 'credit':
        return { rpc: 'credit', message: creditMessage(spec, this.reference.clock_ms) }
      case 'event':
        return { rpc: 'ingest', message: single(ingestItem(spec)) }
      case 'batch':
        return { rpc: 'ingest', message: batchMessage(spec) }
    }
  }

  /** Compares the ledger's answer with the reference's. Answers are judged in the order of the requests. */
  answered(spec: RequestSpec, result: IngestResult | CreditResult): void {
    switch (spec.op) {
      case 'credit': {
        const expires_at_ms =
          spec.expires_in_ms === null
            ? Number.POSITIVE_INFINITY
            : this.reference.clock_ms + spec.expires_in_ms
        const credit = { ...spec, amount: BigInt(spec.amount), expires_at_ms, payload: payloadOf(spec) }
        this.compare(spec, result, this.reference.credit(credit))
        break
      }
      case 'event':
        this.compare(spec, result, this.reference.event(referenceEvent(spec)))
        break
      case 'batch': {
        const events = spec.events.map(referenceEvent)
        this.compare(spec, result, this.reference.batch({ ...spec, events, payload: payloadOf(spec) }))
        break
      }
    }
  }

  /** Whether the key is still the ledger's after it has forgotten what it may forget. */
  forgot(key: string): void {
    this.reference.keys.delete(key)
    this.bodies.delete(key)
  }

  /** Compares what the ledger holds with the reference, and with itself. */
  looked({ wallets, entries }: Snapshot): void {
    const expected = this.reference.entries.slice(this.entries.length)
    expect(entries.map(plainEntry)).toEqual(expected.map(plainReferenceEntry))
    this.entries.push(...entries)
    for (const entry of entries) this.add(entry)
    const plain = wallets.map(({ number, balance, lots }) => ({
      number,
      balance,
      lots: lots.map((lot) => [lot.number, lot.left]),
    }))
    expect(plain).toEqual(
      this.reference.wallets.map((wallet) => ({
        number: wallet.number,
        balance: Number(balanceOf(wallet)),
        lots: wallet.lots.map((lot) => [lot.number, Number(lot.left)]),
      })),
    )
    for (const wallet of wallets) this.conserved(wallet)
  }

  private compare(
    spec: RequestSpec,
    result: IngestResult | CreditResult,
    expected: ReferenceAnswer | ReferenceBatchAnswer,
  ): void {
    if (result.kind === 'refused' || expected.kind === 'refused') {
      const said = result.kind === 'refused' ? result.refusal.code : result.kind
      expect(said).toBe(expected.kind === 'refused' ? expected.code : expected.kind)
      return
    }
    expect(result.kind).toBe(expected.kind)
    if (!('shape' in result)) {
      const { transaction_id, amount, balance_after } = result.answer
      if (!('entry' in expected)) throw new Error('the reference answered a credit with a batch')
      expect({ transaction_id, amount, balance_after }).toEqual(
        this.movement(expected.entry, 'transaction_id'),
      )
    } else if (result.shape === 'single') {
      if (!('entry' in expected)) throw new Error('the reference answered an event with a batch')
      this.sameEvent(result.answer, expected.entry)
    } else {
      if (!('items' in expected)) throw new Error('the reference answered a batch with an entry')
      this.sameItems(result.answer, expected.items)
    }
    if (spec.key === null) return
    const body = bodyOf(result)
    if (result.kind === 'replayed') expect(body).toBe(this.bodies.get(spec.key) ?? body)
    else this.bodies.set(spec.key, body)
  }

  private sameEvent({ id, credits, balance_after }: EventAnswer, entry: ReferenceEntry): void {
    const { amount, ...expected } = this.movement(entry, 'id')
    expect({ id, credits, balance_after }).toEqual({ ...expected, credits: 0 - amount })
  }

  private sameItems({ results }: BatchAnswer, expected: readonly ReferenceAnswer[]): void {
    const said = results.map((item) =>
      item.status === 'rejected'
        ? { status: item.status, code: item.code }
        : { status: item.status, id: item.id, credits: item.credits, balance_after: item.balance_after },
    )
    expect(said).toEqual(
      expected.map((item) => {
        if (item.kind === 'refused') return { status: 'rejected', code: item.code }
        const { id, amount, balance_after } = this.movement(item.entry, 'id')
        const status = item.kind === 'done' ? 'accepted' : 'duplicate'
        return { status, id, credits: 0 - Number(amount), balance_after }
      }),
    )
  }

  private movement<K extends 'id' | 'transaction_id'>(entry: ReferenceEntry, field: K) {
    const id = field === 'id' ? this.ids.event(entry) : this.ids.transaction(entry)
    return { [field]: id, amount: Number(entry.amount), balance_after: Number(entry.balance_after) }
  }

  private add(entry: Entry): void {
    expect(Number.isSafeInteger(entry.amount) && Number.isSafeInteger(entry.balance_after)).toBe(true)
    const moved = entry.lots.reduce((sum, [, amount]) => sum + BigInt(amount), 0n)
    expect(moved).toBe(BigInt(entry.amount))
    const sum = (this.sums.get(entry.wallet) ?? 0n) + BigInt(entry.amount)
    expect(sum).toBe(BigInt(entry.balance_after))
    this.sums.set(entry.wallet, sum)
  }

  /** Rules 1 and 4: never below nothing, and balance = sum of entries = sum of lots. */
  private conserved({ number, balance, lots }: Wallet): void {
    expect(balance).toBeGreaterThanOrEqual(0)
    expect(BigInt(balance)).toBe(this.sums.get(number) ?? 0n)
    expect(BigInt(balance)).toBe(lots.reduce((sum, lot) => sum + BigInt(lot.left), 0n))
  }
}

function creditMessage(spec: CreditSpec, now_ms: number): CreditMessage {
  const { type, owner, amount, paid, priority, expires_in_ms, key } = spec
  const [kind, id = ''] = owner.split(':')
  return grant(amount, {
    type,
    owner: kind === 'user' || kind === 'team' ? { kind, id } : { kind: 'customer' },
    lot_kind: paid ? 'paid' : 'promo',
    priority,
    expires_at_ms: expires_in_ms === null ? null : now_ms + expires_in_ms,
    ...(key !== null && { idempotency: { key, fingerprint: payloadOf(spec) } }),
  })
}

function ingestItem(spec: EventSpec): IngestItem {
  const { amount, user, team, stale, key } = spec
  const item = eventItem(amount, {
    ...(user !== null && { user_id: user }),
    ...(team !== null && { team_id: team }),
    ...(key !== null && { key, fingerprint: payloadOf(spec) }),
  })
  return stale ? { ...item, event: null, refusal: { code: 'customer_mismatch' } } : item
}

/** As the Worker makes it: an event cannot have its batch's own key. */
function batchMessage(spec: BatchSpec): IngestMessage {
  const items = spec.events.map((event): IngestItem => {
    const reused = event.key !== null && event.key === spec.key
    return reused ? { event: null, refusal: { code: 'idempotency_mismatch' } } : ingestItem(event)
  })
  return batch(items, spec.key === null ? undefined : { key: spec.key, fingerprint: payloadOf(spec) })
}

function referenceEvent(spec: EventSpec): ReferenceEvent {
  const refused = spec.stale ? 'customer_mismatch' : null
  return { ...spec, amount: BigInt(spec.amount), refused, payload: payloadOf(spec) }
}

/** What a key stands for: everything but the key and what time has made of it. */
function payloadOf({ key: _, ...payload }: RequestSpec): string {
  return JSON.stringify(payload, (field, value) => (field === 'stale' ? undefined : value))
}

function bodyOf(result: Exclude<IngestResult | CreditResult, { readonly kind: 'refused' }>): string {
  if (!('shape' in result)) return JSON.stringify(renderCredit(result.answer))
  return stringifyJson(
    result.shape === 'single' ? renderEventAnswer(result.answer) : renderBatchAnswer(result.answer),
  )
}

function plainEntry(entry: Entry) {
  const { number, type, wallet, amount, balance_after, lots, at_ms } = entry
  const effective_at_ms = entry.effective_at_ms ?? at_ms
  return { number, type, wallet, amount, balance_after, lots, at_ms, effective_at_ms }
}

function plainReferenceEntry(entry: ReferenceEntry) {
  return {
    ...entry,
    amount: Number(entry.amount),
    balance_after: Number(entry.balance_after),
    lots: entry.lots.map(([number, amount]) => [number, Number(amount)]),
  }
}
