import { jsonArray } from '../../db/json-parameters.ts'
import type { SubjectKind } from '../../db/schema.ts'
import type { LinkedEntry } from '../chain/chain.ts'
import type { Entry } from '../model/journal.ts'
import { parseStored } from '../model/json.ts'
import {
  assertFormat,
  joinEntry,
  nameSubjectsOf,
  type PackedEntry,
  type PackedPersonal,
  packPersonal,
  UNCHAINED_FORMAT,
  unpackEntry,
} from './packed-entry.ts'

/** Returns the number that replaces the id of a user or team in pages. */
export type SubjectNumber = (kind: SubjectKind, id: string) => number

/**
 * An entry of a page in format 2: its hashed content, its personal data, the salt, and its hash in the chain.
 */
interface PagedEntry {
  readonly c: PackedEntry
  readonly p: PackedPersonal
  readonly s?: string
  readonly h?: string
}

/**
 * Packs a page of entries. A page contains no idempotency keys, and contains numbers instead of the customer's own ids
 * of users and teams. The content of each entry is exactly the text that its hash covers.
 */
export function packPage(entries: readonly LinkedEntry[], number: SubjectNumber): string {
  return jsonArray(
    entries.map(({ entry, content, hash }) => {
      const rest = JSON.stringify({ p: packPersonal(entry, number), s: entry.salt, h: hash ?? undefined })
      return `{"c":${content},${rest.slice(1)}`
    }),
  )
}

/**
 * A parsed page: the numbers of its users and teams, and a function that returns its entries with ids in place of
 * these numbers.
 */
export interface ParsedPage {
  readonly subjects: { readonly user: ReadonlySet<number>; readonly team: ReadonlySet<number> }
  /** Returns the entries. `name` returns the customer's own id of a subject, or the alias of an erased subject. */
  readonly entries: (name: (kind: SubjectKind, number: number) => string) => Entry[]
}

/** Parses a page, or only the entry with the number `only`. */
export function parsePage(format: number, body: string, only?: number): ParsedPage {
  const packed = entriesOfPage(format, body, only)
  const subjects = { user: new Set<number>(), team: new Set<number>() }
  for (const { e, cp, rv } of packed) {
    for (const part of [e, cp, rv]) {
      if (typeof part?.u === 'number') subjects.user.add(part.u)
      if (typeof part?.g === 'number') subjects.team.add(part.g)
    }
  }
  return {
    subjects,
    entries: (name) => packed.map((entry) => unpackEntry(entry, (value, kind) => name(kind, Number(value)))),
  }
}

/** An entry of a page as the texts that the hash chain covers. */
export interface ChainedEntry {
  readonly number: number
  readonly content: string
  readonly hash: string
  /**
   * The personal data, and the salt with which the commitment to the data can be verified. `personal` and `salt` are
   * absent if any of the data was erased.
   */
  readonly personal?: string
  readonly salt?: string
}

/** Returns the customer's own id of a subject; undefined if the subject was erased. */
export type Naming = (kind: SubjectKind, number: number) => string | undefined

/** Parses the entries of a page that are in the hash chain, and collects the numbers of their users and teams. */
export function chainedEntries(format: number, body: string) {
  assertFormat(format)
  const paged: PagedEntry[] = format === UNCHAINED_FORMAT ? [] : parseStored(body)
  const subjects = { user: new Set<number>(), team: new Set<number>() }
  const collect = (kind: SubjectKind, number: string | number) => {
    subjects[kind].add(Number(number))
    return number
  }
  for (const { p } of paged) nameSubjectsOf(p, collect)
  return {
    subjects,
    entries: (name: Naming): ChainedEntry[] =>
      paged.flatMap(({ c, p, s, h }) => {
        if (h === undefined) return []
        const chained = { number: c.n, content: JSON.stringify(c), hash: h }
        if (s === undefined) return [chained]
        const personal = personalText(p, name)
        return [personal === undefined ? chained : { ...chained, personal, salt: s }]
      }),
  }
}

/** Returns the text that the commitment covers; undefined if a subject was erased. */
function personalText(packed: PackedPersonal, name: Naming): string | undefined {
  let erased = false
  const named = nameSubjectsOf(packed, (kind, number) => {
    const id = name(kind, Number(number))
    erased ||= id === undefined
    return id ?? ''
  })
  return erased ? undefined : JSON.stringify(named)
}

function entriesOfPage(format: number, body: string, only: number | undefined): PackedEntry[] {
  assertFormat(format)
  const isWanted = ({ n }: PackedEntry) => only === undefined || n === only
  if (format === UNCHAINED_FORMAT) {
    const packed: PackedEntry[] = parseStored(body)
    return packed.filter(isWanted)
  }
  const paged: PagedEntry[] = parseStored(body)
  return paged.filter(({ c }) => isWanted(c)).map(({ c: { pc: _, ...content }, p }) => joinEntry(content, p))
}
