import type { Erased } from '../erasure/erasure.ts'
import { type Alert, isTimed } from '../model/alerts.ts'
import { parseStored } from '../model/json.ts'
import { walletKey } from '../model/wallet.ts'
import type { Exec } from '../tables.ts'

// One row written for each.
const WRITE = 'INSERT OR REPLACE INTO alerts (alert_id, alert) VALUES (?, ?)'
const DELETE = 'DELETE FROM alerts WHERE alert_id = ?'

const NONE: readonly Alert[] = []

/** The alerts of a ledger: all of them are in memory, at most 1,000. */
export class AlertRows {
  private readonly exec: Exec
  private known: Map<string, Alert> | undefined
  /** The enabled ones by the key of their wallet, and those on limits. */
  private wallets: Map<string, Alert[]> | undefined
  private limited: Alert[] = []

  constructor(exec: Exec) {
    this.exec = exec
  }

  /** By id, which is the order of their creation. */
  all(): ReadonlyMap<string, Alert> {
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

  /** The enabled alerts on a wallet. */
  ofWallet(key: string): readonly Alert[] {
    return this.index().get(key) ?? NONE
  }

  /** The enabled alerts on limits. */
  ofLimits(): readonly Alert[] {
    this.index()
    return this.limited
  }

  /** The enabled alerts that the alarm checks. */
  timed(): readonly Alert[] {
    return [...this.index().values()].flat().filter(isTimed)
  }

  /** Null deletes the alert. */
  write(id: string, alert: Alert | null): void {
    if (alert) this.exec(WRITE, id, JSON.stringify(alert))
    else this.exec(DELETE, id)
  }

  publish(changed: ReadonlyMap<string, Alert | null>): void {
    const all = new Map(this.all())
    for (const [id, alert] of changed) {
      if (alert) all.set(id, alert)
      else all.delete(id)
    }
    this.known = all
    this.wallets = undefined
  }

  /** Deletes the alerts of an erased user or team. */
  erase({ kind, id }: Erased): void {
    const own = walletKey({ kind, id })
    for (const alert of this.all().values()) if (walletKey(alert.owner) === own) this.write(alert.id, null)
    this.forget()
  }

  forget(): void {
    this.known = undefined
    this.wallets = undefined
  }

  private index(): Map<string, Alert[]> {
    if (this.wallets) return this.wallets
    const enabled = [...this.all().values()].filter((alert) => alert.enabled)
    this.limited = enabled.filter(({ type }) => type === 'limit_used')
    this.wallets = Map.groupBy(
      enabled.filter(({ type }) => type !== 'limit_used'),
      ({ owner }) => walletKey(owner),
    )
    return this.wallets
  }
}
