import { Buffer } from 'node:buffer'
import { timeJson } from '../http/input/times.ts'
import { creditsJson, stringifyJson } from '../http/output/json.ts'
import type { ChainedEntry } from '../ledger/journal/packed-page.ts'
import type { Entry, EventRecord } from '../ledger/model/journal.ts'
import type { LedgerIds } from '../ledger/model/ledger-ids.ts'
import { microCredits } from '../pricing/money.ts'
import type { SigningKey } from './keys.ts'
import type { Checkpoint } from './store.ts'

export interface ReceiptParts {
  readonly ledger_id: string
  readonly ids: LedgerIds
  readonly entry: Entry & { readonly event: EventRecord }
  /** The explanation of the event, as `GET /v1/events/{id}/explain` returns it. */
  readonly explanation: object
  readonly chained: ChainedEntry & { readonly before: string }
  readonly checkpoint: Checkpoint
}

/**
 * Returns the signed receipt of an event. The receipt is a compact JWS (RFC 7515, RFC 8037) with the claims that
 * `docs/proof.md` lists.
 */
export async function signReceipt(key: SigningKey, parts: ReceiptParts, now_ms: number): Promise<string> {
  const header = encode(JSON.stringify({ alg: 'EdDSA', kid: key.key_id, typ: 'openmonetize-receipt+jws' }))
  const payload = encode(JSON.stringify(claimsOf(parts, now_ms)))
  const signature = await key.sign(`${header}.${payload}`)
  return `${header}.${payload}.${Buffer.from(signature).toString('base64url')}`
}

function claimsOf({ ledger_id, ids, entry, explanation, chained, checkpoint }: ReceiptParts, now_ms: number) {
  const { event, amount, balance_after, wallet } = entry
  const { number, before, content, hash } = chained
  return {
    receipt: 1,
    ledger: ledger_id,
    sub: ids.event(entry),
    iat: Math.floor(now_ms / 1000),
    ...withTexts({
      event: {
        timestamp: timeJson(event.timestamp_ms),
        event_type: event.event_type,
        feature_id: event.feature_id,
        user_id: event.user_id,
        team_id: event.team_id,
        provider: event.provider,
        model: event.model,
        usage: event.usage,
        custom: event.custom,
        price_version: event.price_version,
      },
      wallet_id: ids.wallet(wallet),
      balance_before: creditsJson(microCredits(balance_after - amount)),
      balance_after: creditsJson(balance_after),
      explanation,
    }),
    entry: { number, before, content, hash },
    checkpoint: checkpoint.note,
  }
}

/**
 * Returns a copy of a value in which each number is replaced by its JSON text. Otherwise, the parser of a client could
 * round amounts.
 */
function withTexts(value: object): object {
  const exact = (_: string, field: unknown, context?: { readonly source?: string }) =>
    typeof field === 'number' ? context?.source : field
  return JSON.parse(stringifyJson(value), exact)
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url')
}
