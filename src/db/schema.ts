/**
 * The D1 schema. `docs/storage-schema.md` lists the writers of each table and the cost of a row. Times are epoch
 * milliseconds.
 */

export * from './schema/customers.ts'
export * from './schema/ledgers.ts'
export * from './schema/operations.ts'
export * from './schema/proof.ts'
export * from './schema/usage.ts'
export * from './schema/webhooks.ts'
