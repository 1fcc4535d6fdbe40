/** Parses the JSON of a message, a caller or a result. Both ends are of one deployment: `rpc.ts` gives its type. */
export function parse<T>(json: string): T {
  return JSON.parse(json)
}

/** Parses JSON that the ledger stored. The version of the tables, or the format of the row, decides its type. */
export function parseStored<T>(text: SqlStorageValue | undefined): T {
  return JSON.parse(String(text))
}
