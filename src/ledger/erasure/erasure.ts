import type { SubjectKind } from '../../db/schema.ts'
import { commitmentOf } from '../chain/chain.ts'
import { unpackRow } from '../journal/packing.ts'
import type { JournalRecord } from '../model/journal.ts'
import { isRecord } from '../model/json.ts'

/** The subject of an erasure. The alias replaces the customer's own id, except in free texts. */
export interface Erased {
  readonly kind: SubjectKind
  /** The customer's own id of the subject. */
  readonly id: string
  readonly alias: string
  /** The number of the subject's wallet; null if the subject has no wallet. */
  readonly wallet_number: number | null
}

/** The fields that name a user or a team in packed records, holds and other plain JSON. */
const ID_FIELDS: Readonly<Record<SubjectKind, ReadonlySet<string>>> = {
  user: new Set(['u', 'user_id']),
  team: new Set(['g', 'team_id']),
}

/** The packed and plain fields with free texts, keys, salts and commitments. They are not searched for ids. */
const FREE_FIELDS: ReadonlySet<string> = new Set([
  'md',
  'mt',
  'd',
  'pr',
  'k',
  's',
  'pc',
  'metadata',
  'metadata_text',
  'description',
  'payment_reference',
  'reason',
  'value',
  'value_text',
])

const METADATA: ReadonlySet<string> = new Set(['metadata', 'metadata_text'])

/**
 * Removes the subject from the body of a journal row. Replaces the subject's id with the alias. Removes the metadata
 * from the entries of the subject's events, and from the entries of the subject's wallet. Keeps the amounts, the
 * numbers and the order of the records. Also keeps stored results, but with the alias, and without the metadata of the
 * subject's own entitlements.
 */
export function eraseFromRow(format: number, body: string, erased: Erased): string {
  const records: unknown = JSON.parse(body)
  if (!Array.isArray(records)) throw new Error('the body of a journal row is not a list of records')
  const unpacked = unpackRow(format, body)
  return JSON.stringify(
    records.map((record: unknown, index) => eraseFromRecord(record, unpacked[index], erased)),
  )
}

/**
 * Replaces the subject's id with the alias in the state of a wallet: as the wallet's owner, and in open holds. Ends the
 * recurring grants and the top-up of the subject's own wallet.
 */
export function eraseFromWallet(state: string, erased: Erased): string {
  const wallet: unknown = JSON.parse(state)
  if (!isRecord(wallet)) throw new Error('the state of a wallet is not an object')
  const renamed = rename(wallet, erased)
  const { top_up: _, ...own } = renamed
  return JSON.stringify(isSubject(wallet.owner, erased) ? { ...own, recurring: [] } : renamed)
}

/** Removes the subject from an unpacked entry that is stored outside the journal. */
export function eraseFromEntry(entry: string, erased: Erased): string {
  const plain: unknown = JSON.parse(entry)
  if (!isRecord(plain)) throw new Error('a stored entry is not an object')
  const renamed = rename(plain, erased)
  const { metadata: _, metadata_text: __, ...kept } = renamed
  return JSON.stringify(isOf(plain.event, plain.wallet, erased) ? kept : renamed)
}

/**
 * Removes the subject from a packed record. Entries have the fields `e`, `w`, and `mt` or `md`. If an entry has
 * personal data of the subject, replaces its salt with the commitment. The hash chain does not change. Without the
 * salt, a guess at the data cannot be tested against the commitment.
 */
function eraseFromRecord(record: unknown, unpacked: JournalRecord | undefined, erased: Erased): unknown {
  if (!isRecord(record)) throw new Error('a record of a journal row is not an object')
  const renamed = rename(record, erased)
  const is_of = isOf(record.e, record.w, erased)
  const { md: _, mt: __, ...kept } = renamed
  const left: Readonly<Record<string, unknown>> = is_of ? kept : renamed
  const is_touched = is_of || JSON.stringify(renamed) !== JSON.stringify(record)
  if (!is_touched || unpacked?.kind !== 'entry' || unpacked.salt === undefined) return left
  const { s: ___, ...sealed } = left
  return { ...sealed, pc: commitmentOf(unpacked) }
}

/** Reports whether an entry belongs to one of the subject's events or to the subject's wallet. */
function isOf(event: unknown, wallet: unknown, { kind, id, wallet_number }: Erased): boolean {
  if (wallet_number !== null && wallet === wallet_number) return true
  return isRecord(event) && [...ID_FIELDS[kind]].some((field) => event[field] === id)
}

function renameIn(value: unknown, erased: Erased): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => renameIn(item, erased))
  return isRecord(value) ? rename(value, erased) : value
}

function rename(value: JsonObject, erased: Erased): JsonObject {
  const { kind, id, alias } = erased
  if (isSubject(value, erased)) return { ...value, id: alias }
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]): [string, unknown][] => {
      // Removes the metadata of the subject's own entitlements.
      if (METADATA.has(name) && isSubject(value.owner, erased)) return []
      if (FREE_FIELDS.has(name)) return [[name, field]]
      return [[name, ID_FIELDS[kind].has(name) && field === id ? alias : renameIn(field, erased)]]
    }),
  )
}

/** Reports whether a value is the erased subject as an owner `{kind, id}`. */
function isSubject(value: unknown, { kind, id }: Erased): boolean {
  return isRecord(value) && value.kind === kind && value.id === id
}

type JsonObject = Readonly<Record<string, unknown>>
