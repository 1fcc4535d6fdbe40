import { isRecord } from '../../ledger/model/json.ts'
import { type Json, listOf, parsed, recordOf } from './reading.ts'

/** The maximum number of different queries of one response that are counted, and the maximum length of a query. */
const MAX_QUERIES = 1_000
const MAX_QUERY_CHARS = 10_000

/** Collects the searches of Gemini's grounding, because the last chunk of a stream can lack those of earlier chunks. */
export class Searches {
  private readonly queries = new Set<string>()
  /** The kinds of the sources that were found, for example `web` and `maps`. */
  private readonly kinds = new Set<string>()

  add(data: string): void {
    for (const candidate of listOf(parsed(data)?.candidates)) {
      const found = recordOf(recordOf(candidate).groundingMetadata)
      for (const query of listOf(found.webSearchQueries)) {
        if (typeof query !== 'string' || this.queries.size >= MAX_QUERIES) continue
        this.queries.add(query.slice(0, MAX_QUERY_CHARS))
      }
      const sources = listOf(found.groundingChunks).map(recordOf)
      if (isRecord(found.searchEntryPoint) || sources.some(({ web }) => web !== undefined))
        this.kinds.add('web')
      const { googleMapsWidgetContextToken: token } = found
      if (typeof token === 'string' || sources.some(({ maps }) => maps !== undefined)) this.kinds.add('maps')
    }
  }

  /** Adds the searches of all chunks to the last chunk. */
  addTo(last: Json): Json {
    if (this.queries.size === 0 && this.kinds.size === 0) return last
    const groundingMetadata = {
      webSearchQueries: [...this.queries],
      groundingChunks: [...this.kinds].map((kind) => ({ [kind]: {} })),
    }
    return { ...last, candidates: [...listOf(last.candidates), { groundingMetadata }] }
  }
}
