import type { Exec } from '../tables.ts'

const WRITE = `
  INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`

/** The ledger's single values. One row written for each that is set. */
export class MetaTable {
  private readonly exec: Exec

  constructor(exec: Exec) {
    this.exec = exec
  }

  get(key: string): string | null {
    const [row] = this.exec('SELECT value FROM meta WHERE key = ?', key)
    return row ? String(row.value) : null
  }

  set(key: string, value: string): void {
    this.exec(WRITE, key, value)
  }
}
