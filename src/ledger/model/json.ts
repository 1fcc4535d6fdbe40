/**
 * Parses the JSON of a message, a caller or a result. The type is not checked: the sender is our own code, and
 * `rpc.ts` or the packed form defines the type.
 */
export function parse<T>(json: string): T {
  return JSON.parse(json)
}

/** Parses JSON that the ledger stored. The version of the tables or the format of the row determines the type. */
export function parseStored<T>(text: SqlStorageValue | undefined): T {
  return JSON.parse(String(text))
}

/** Reports whether a parsed JSON value is an object, and not a list or null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

declare const jsonText: unique symbol

/**
 * The text of a JSON value that only the customer interprets: metadata, or the static value of an entitlement. It is
 * kept as text, because parsed JSON takes up to ten times as much memory, and large numbers would be rounded.
 */
export type JsonText = string & { readonly [jsonText]: true }

/** Marks a text as valid JSON, without checking it. */
export function jsonTextOf(text: string): JsonText {
  return text as JsonText
}

/** Returns the JSON text of a value that an earlier version stored in parsed form; undefined if there is no value. */
export function jsonTextFrom(stored: unknown): JsonText | undefined {
  return stored === undefined ? undefined : jsonTextOf(JSON.stringify(stored))
}
