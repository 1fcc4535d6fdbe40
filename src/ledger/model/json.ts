/**
 * Parses the JSON of a message, a caller or a result. Both ends belong to one deployment, and `rpc.ts`
 * defines the type.
 */
export function parse<T>(json: string): T {
  return JSON.parse(json)
}

/** Parses JSON that the ledger stored. The version of the tables, or the format of the row, decides its type. */
export function parseStored<T>(text: SqlStorageValue | undefined): T {
  return JSON.parse(String(text))
}

/** Whether a parsed value is a JSON object: not a list, and not null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

declare const jsonText: unique symbol

/**
 * The text of a JSON value that only the customer reads: metadata, and the static value of an entitlement. It is never
 * parsed, because parsed JSON takes up to ten times the memory of its text and loses large numbers.
 */
export type JsonText = string & { readonly [jsonText]: true }

/** Brands the text of a valid JSON value. */
export function jsonTextOf(text: string): JsonText {
  return text as JsonText
}

/** The text of a value that an earlier version stored as parsed JSON. */
export function jsonTextFrom(stored: unknown): JsonText | undefined {
  return stored === undefined ? undefined : jsonTextOf(JSON.stringify(stored))
}
