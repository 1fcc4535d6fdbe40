import type { BurnTableDefinition } from '../../pricing/burn-table/definition.ts'
import type { VersionTimes } from '../../pricing/burn-table/versions.ts'

/** A version of a burn table without its definition, which is read when it is needed. */
export interface BurnTableVersion extends VersionTimes {
  readonly created_at_ms: number
  /** The characters of the definition as JSON. */
  readonly length: number
}

/** A version with its definition. It never changes, except that its table may be deactivated. */
export interface BurnTableRow extends VersionTimes {
  readonly created_at_ms: number
  readonly definition: BurnTableDefinition
}

/**
 * All versions of a customer's burn tables. The live ledger is their master and gives this to the test ledger, which
 * accepts it only if it is newer than its own.
 */
export interface BurnTableSnapshot {
  /** Rises with every change. */
  readonly revision: number
  readonly rows: readonly BurnTableRow[]
}
