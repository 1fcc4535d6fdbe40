import { microCredits } from '../../../pricing/money.ts'
import type { BatchItemAnswer } from '../answers.ts'
import { parse } from '../json.ts'
import type { Answered } from '../refusal.ts'
import type { IngestResult } from './events.ts'

/**
 * The packed form of a batch's result: JSON with one flat list of values. Writing and parsing the results of 100 events
 * takes 36 µs instead of 92 µs. The text has half of the bytes. An object sends this form only to a Worker that
 * requests it. All other results are plain JSON.
 */
type Packed = readonly [
  kind: Answered<unknown>['kind'],
  format: number,
  batch_id: string,
  values: readonly Value[],
]

type Value = string | number | Rejected
type Rejected = Omit<BatchItemAnswer & { readonly status: 'rejected' }, 'status'>

const ACCEPTED = 1
const DUPLICATE = 2

export function packResult(result: IngestResult): string {
  if (result.kind === 'refused' || result.shape === 'single') return JSON.stringify(result)
  const values: Value[] = []
  for (const item of result.answer.results) {
    if (item.status === 'rejected') values.push({ code: item.code, detail: item.detail })
    else {
      const status = item.status === 'accepted' ? ACCEPTED : DUPLICATE
      values.push(status, item.id, item.credits, item.balance_after)
    }
  }
  const packed: Packed = [result.kind, result.format, result.answer.batch_id, values]
  return JSON.stringify(packed)
}

/** Parses a result in either form. The plain form is a JSON object, and the packed form is a list. */
export function parseResult(json: string): IngestResult {
  return json.startsWith('[') ? unpacked(parse(json)) : parse(json)
}

function unpacked([kind, format, batch_id, values]: Packed): IngestResult {
  const results: BatchItemAnswer[] = []
  for (let at = 0; at < values.length; ) {
    const status = values[at++]
    if (typeof status === 'object') results.push({ status: 'rejected', ...status })
    else {
      results.push({
        status: status === ACCEPTED ? 'accepted' : 'duplicate',
        id: String(values[at++]),
        credits: microCredits(Number(values[at++])),
        balance_after: microCredits(Number(values[at++])),
      })
    }
  }
  return { shape: 'batch', kind, format, answer: { batch_id, results } }
}
