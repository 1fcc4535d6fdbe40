import type { Erased } from '../erasure/erasure.ts'
import { type Alert, isTimed } from '../model/alerts.ts'
import { parseStored } from '../model/json.ts'
import { walletKey } from '../model/wallet.ts'
import type { Exec } from '../tables.ts'

// Each statement writes one row.
const WRITE = 'INSERT OR REPLACE INTO alerts (alert_id, alert) VALUES (?, ?)'
const DELETE = 'DELETE FROM alerts WHERE alert_id = ?'

const NONE: readonly Alert[] = []

/** Finds the counter of the limit that an alert watches. `of` returns undefined if there is no entitlement. */
export interface CounterFinder {
  /** A number that changes whenever an entitlement changes. */
  readonly version: number
  readonly of: (alert: Alert) => number | undefined
}

/** The ids of enabled alerts. */
interface Index {
  /** The ids of each wallet's alerts, without alerts on limits, by the key of the wallet. */
  readonly wallets: ReadonlyMap<string, readonly string[]>
  readonly timed: readonly string[]
  readonly limited: readonly string[]
}

/** The alerts of a ledger, at most 1,000. All alerts are kept in memory. */
export class AlertRows {
  private readonly exec: Exec
  private known: Map<string, Alert> | undefined
  private index: Index | undefined
  /** The ids of enabled alerts on limits, by the counter of the limit. */
  private counters: { readonly version: number; readonly ids: ReadonlyMap<number, string[]> } | undefined

  constructor(exec: Exec) {
    this.exec = exec
  }

  /** Returns all alerts by id, in the order of their creation. */
  all(): ReadonlyMap<string, Alert> {
    return this.alerts()
  }

  /** Returns the enabled alerts on a wallet, without alerts on limits. */
  ofWallet(key: string): readonly Alert[] {
    return this.named(this.places().wallets.get(key))
  }

  /** Returns the enabled alerts on the limit that uses a counter. */
  ofCounter(counter: number, finder: CounterFinder): readonly Alert[] {
    const { limited } = this.places()
    if (limited.length === 0) return NONE
    if (this.counters?.version !== finder.version) {
      const ids = new Map<number, string[]>()
      for (const alert of this.named(limited)) {
        const found = finder.of(alert)
        if (found !== undefined) ids.set(found, [...(ids.get(found) ?? []), alert.id])
      }
      this.counters = { version: finder.version, ids }
    }
    return this.named(this.counters.ids.get(counter))
  }

  /** Returns the enabled alerts that the alarm checks. */
  timed(): readonly Alert[] {
    return this.named(this.places().timed)
  }

  /** Writes an alert, or deletes it if `alert` is null. */
  write(id: string, alert: Alert | null): void {
    if (alert) this.exec(WRITE, id, JSON.stringify(alert))
    else this.exec(DELETE, id)
  }

  publish(changed: ReadonlyMap<string, Alert | null>): void {
    const all = this.alerts()
    for (const [id, alert] of changed) {
      // The indexes stay valid when an alert only fires, arms or gets another threshold, so most changes keep them.
      if (!isSamePlace(all.get(id), alert)) this.index = this.counters = undefined
      if (alert) all.set(id, alert)
      else all.delete(id)
    }
  }

  /** Deletes the alerts of an erased user or team. */
  erase({ kind, id }: Erased): void {
    const own = walletKey({ kind, id })
    for (const alert of this.all().values()) if (walletKey(alert.owner) === own) this.write(alert.id, null)
    this.forget()
  }

  forget(): void {
    this.known = this.index = this.counters = undefined
  }

  private alerts(): Map<string, Alert> {
    if (!this.known) {
      const rows = this.exec('SELECT alert FROM alerts ORDER BY alert_id')
      this.known = new Map(
        rows.map((row) => {
          const alert: Alert = parseStored(row.alert)
          return [alert.id, alert]
        }),
      )
    }
    return this.known
  }

  private named(ids: readonly string[] | undefined): readonly Alert[] {
    if (!ids) return NONE
    const all = this.all()
    return ids.flatMap((id) => all.get(id) ?? [])
  }

  private places(): Index {
    if (this.index) return this.index
    const enabled = [...this.all().values()].filter((alert) => alert.enabled)
    const ids = (alerts: readonly Alert[]) => alerts.map(({ id }) => id)
    const of_wallet = Map.groupBy(
      enabled.filter(({ type }) => type !== 'limit_used'),
      ({ owner }) => walletKey(owner),
    )
    this.index = {
      wallets: new Map([...of_wallet].map(([key, alerts]) => [key, ids(alerts)])),
      timed: ids(enabled.filter(isTimed)),
      limited: ids(enabled.filter(({ type }) => type === 'limit_used')),
    }
    return this.index
  }
}

/** Reports whether the indexes stay valid when `after` replaces `before`. */
function isSamePlace(before: Alert | undefined, after: Alert | null): boolean {
  if (!before || !after) return false
  return (
    before.enabled === after.enabled &&
    before.type === after.type &&
    before.feature_id === after.feature_id &&
    walletKey(before.owner) === walletKey(after.owner)
  )
}
