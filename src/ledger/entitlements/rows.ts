import { UTC } from '../../time/zones.ts'
import type { Erased } from '../erasure/erasure.ts'
import { parseStored } from '../model/json.ts'
import { ALL_FEATURES, type Entitlement, type LimitOwner, type Subject } from '../model/limits.ts'
import type { EntitlementsAnswer, EntitlementsQuestion } from '../model/messages/entitlements.ts'
import { walletKey } from '../model/wallet.ts'
import type { Exec } from '../tables.ts'

// Reads the highest number and the highest revision. Reads only two rows.
const LAST = `
  SELECT coalesce((SELECT max(number) FROM entitlements), 0) AS number,
    coalesce((SELECT max(revision) FROM entitlements), 0) AS revision`

// Reads every row, because the counters have no index. Used at most once after each start of the object.
const LAST_COUNTER = 'SELECT coalesce(max(counter), 0) AS counter FROM entitlements'

const UPSERT = `
  INSERT INTO entitlements (number, entitlement_id, feature_id, level_key, counter, revision, deleted, entitlement)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (number) DO UPDATE SET
    counter = excluded.counter, revision = excluded.revision, deleted = excluded.deleted,
    entitlement = excluded.entitlement`

// Changes the owner of a deleted entitlement. Changes a row only if its user or team is erased.
const MOVE = 'UPDATE entitlements SET level_key = ?1 WHERE number = ?2 AND level_key <> ?1'

const AT = 'SELECT entitlement FROM entitlements WHERE feature_id = ? AND level_key = ? AND deleted = 0'

/**
 * Finds the levels at which a feature has rows, except the customer's level. The key of a level begins with its kind
 * and a colon. In ASCII, `;` directly follows the colon, so each range contains exactly one kind.
 */
const KINDS = `
  SELECT
    EXISTS (SELECT 1 FROM entitlements
      WHERE feature_id = ?1 AND deleted = 0 AND level_key >= 'user:' AND level_key < 'user;') AS users,
    EXISTS (SELECT 1 FROM entitlements
      WHERE feature_id = ?1 AND deleted = 0 AND level_key >= 'team:' AND level_key < 'team;') AS teams,
    EXISTS (SELECT 1 FROM entitlements
      WHERE feature_id = ?1 AND deleted = 0 AND level_key >= 'key:' AND level_key < 'key;') AS keys,
    EXISTS (SELECT 1 FROM entitlements
      WHERE feature_id = ?1 AND deleted = 0 AND level_key >= 'model:' AND level_key < 'model;') AS models`

const OWNED_BY = 'SELECT entitlement FROM entitlements WHERE level_key = ?'

const CHANGED_AFTER = 'SELECT entitlement FROM entitlements WHERE revision > ? ORDER BY revision LIMIT ?'

/** The maximum size of the cache of features, and of the cache of rows of users, teams, API keys and models. */
const MAX_CACHED = 5_000

interface Feature {
  readonly customer: Entitlement | undefined
  readonly users: boolean
  readonly teams: boolean
  readonly keys: boolean
  readonly models: boolean
  readonly has_rows: boolean
}

const NO_ROWS: readonly Entitlement[] = []

/**
 * The table of a customer's entitlements, with a cache of the rows in use. Once a feature is cached, an event reads no
 * row if at most the customer has a row for the feature, and no API key or model has a row for all features.
 */
export class EntitlementRows {
  private readonly exec: Exec
  private readonly features = new Map<string, Feature>()
  private readonly members = new Map<string, Entitlement | null>()
  /**
   * The highest number that a counter has received. After a failed transaction, it can be higher than all stored
   * numbers, so the numbers can have gaps.
   */
  private lastCounter: number | undefined
  private changes = 0

  constructor(exec: Exec) {
    this.exec = exec
  }

  /** A number that changes whenever a row might have changed. */
  get version(): number {
    return this.changes
  }

  /** The highest numbers used so far. */
  get last(): Pick<Entitlement, 'number' | 'counter' | 'revision'> {
    const [row] = this.exec(LAST)
    this.lastCounter ??= Number(this.exec(LAST_COUNTER)[0]?.counter)
    return { number: Number(row?.number), counter: this.lastCounter, revision: Number(row?.revision) }
  }

  /**
   * Returns the rows that apply to a use, the most specific first: the rows of the user, the team, the API key, the
   * model and the customer. An API key and a model can also have a row for all features, which follows their row for
   * the feature.
   */
  of({ feature_id, user_id, team_id, model }: Subject, key_id?: string): readonly Entitlement[] {
    const own = this.feature(feature_id)
    const all = this.feature(ALL_FEATURES)
    if (!own.has_rows && !all.has_rows) return NO_ROWS
    const rows: Entitlement[] = []
    const add = (place: string, owner: LimitOwner) => {
      const row = this.member(place, owner)
      if (row) rows.push(row)
    }
    if (own.users && user_id !== undefined) add(feature_id, { kind: 'user', id: user_id })
    if (own.teams && team_id !== undefined) add(feature_id, { kind: 'team', id: team_id })
    if (own.keys && key_id !== undefined) add(feature_id, { kind: 'key', id: key_id })
    if (all.keys && key_id !== undefined) add(ALL_FEATURES, { kind: 'key', id: key_id })
    if (own.models && model !== undefined) add(feature_id, { kind: 'model', id: model })
    if (all.models && model !== undefined) add(ALL_FEATURES, { kind: 'model', id: model })
    if (own.customer) rows.push(own.customer)
    return rows
  }

  /** Returns the entitlement of a feature and owner; undefined if there is none or it is deleted. */
  at(feature_id: string, owner: LimitOwner): Entitlement | undefined {
    return read(this.exec(AT, feature_id, walletKey(owner)))[0]
  }

  /** Returns all rows of an owner, including the rows of deleted entitlements. */
  ownedBy(owner: LimitOwner): Entitlement[] {
    return read(this.exec(OWNED_BY, walletKey(owner)))
  }

  byId(id: string): Entitlement | undefined {
    return read(this.exec('SELECT entitlement FROM entitlements WHERE entitlement_id = ?', id))[0]
  }

  /** Returns a page of the entitlements, newest first. */
  list(question: EntitlementsQuestion & { readonly kind: 'list' }): EntitlementsAnswer {
    const { feature_id, owner, before_number, limit } = question
    const conditions: [string, SqlStorageValue][] = [['number < ?', before_number ?? Number.MAX_SAFE_INTEGER]]
    if (feature_id !== undefined) conditions.push(['feature_id = ?', feature_id])
    if (owner) conditions.push(['level_key = ?', walletKey(owner)])
    const found = read(
      this.exec(
        `SELECT entitlement FROM entitlements WHERE deleted = 0 AND ${conditions.map(([sql]) => sql).join(' AND ')}
         ORDER BY number DESC LIMIT ?`,
        ...conditions.map(([, value]) => value),
        limit + 1,
      ),
    )
    const entitlements = found.slice(0, limit)
    const next_before_number = found.length > limit ? (entitlements.at(-1)?.number ?? null) : null
    return { entitlements, next_before_number }
  }

  /** Returns the entitlements that changed after a revision, in the order of their revisions. */
  changedAfter(revision: number, limit: number): Entitlement[] {
    return read(this.exec(CHANGED_AFTER, revision, limit))
  }

  /**
   * Writes an entitlement and its indexes. Writes 5 rows for a new entitlement, 4 for a changed entitlement, and 2 for
   * a deleted entitlement, or 3 if its owner is erased.
   */
  write(entitlement: Entitlement): void {
    const { number, id, feature_id, owner, counter, revision, deleted } = entitlement
    // The row of a deleted entitlement is kept, because its numbers must not be used again.
    const text = JSON.stringify(deleted ? limitsOf(entitlement) : entitlement)
    if (this.lastCounter !== undefined) this.lastCounter = Math.max(this.lastCounter, counter)
    this.exec(UPSERT, number, id, feature_id, walletKey(owner), counter, revision, deleted ? 1 : 0, text)
    if (deleted) this.exec(MOVE, walletKey(owner), number)
    this.forget()
  }

  /**
   * Deletes the entitlements of a user or team. Keeps their rows with the alias as the owner, without metadata and
   * value. `uncountErased` subtracts these texts from the quota of metadata.
   */
  erase({ kind, id, alias }: Erased): void {
    let { revision } = this.last
    for (const row of this.ownedBy({ kind, id })) {
      this.write({ ...limitsOf(row), owner: { kind, id: alias }, deleted: true, revision: ++revision })
    }
  }

  /** Removes the rows from memory. They are read again at the next use. */
  forget(): void {
    this.changes++
    this.features.clear()
    this.members.clear()
  }

  private feature(feature_id: string): Feature {
    const known = this.features.get(feature_id)
    if (known) return known
    const [kinds] = this.exec(KINDS, feature_id)
    const customer = this.at(feature_id, { kind: 'customer' })
    const has = { users: kinds?.users === 1, teams: kinds?.teams === 1 }
    const more = { keys: kinds?.keys === 1, models: kinds?.models === 1 }
    const has_rows = customer !== undefined || has.users || has.teams || more.keys || more.models
    const feature = { customer: customer && limitsOf(customer), ...has, ...more, has_rows }
    if (this.features.size >= MAX_CACHED) this.features.clear()
    this.features.set(feature_id, feature)
    return feature
  }

  private member(feature_id: string, owner: LimitOwner): Entitlement | undefined {
    // Ids and owners have no control characters, so different pairs have different keys.
    const key = `${feature_id}\n${walletKey(owner)}`
    const known = this.members.get(key)
    if (known !== undefined) return known ?? undefined
    const row = this.at(feature_id, owner)
    const found = row && limitsOf(row)
    if (this.members.size >= MAX_CACHED) this.members.clear()
    this.members.set(key, found ?? null)
    return found
  }
}

/** Returns the part of a row that is kept in memory. It excludes the customer's own JSON, which can have 32 KB. */
function limitsOf(row: Entitlement): Entitlement {
  const { metadata: _, value: __, metadata_text: ___, value_text: ____, ...limits } = row
  return limits
}

/** Parses entitlements. Entitlements of earlier versions have no time zone and use UTC. */
function read(rows: readonly Record<string, SqlStorageValue>[]): Entitlement[] {
  return rows.map(
    ({ entitlement }): Entitlement => ({ time_zone: UTC, ...parseStored<Entitlement>(entitlement) }),
  )
}
