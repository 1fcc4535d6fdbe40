import type { Bindings } from '../bindings.ts'

const ROWS_A_ROUND = 10_000

const END_OF_ROUND = `
  SELECT ledger_id, sequence FROM notifications WHERE (ledger_id, sequence) > (?1, ?2)
  ORDER BY ledger_id, sequence LIMIT 1 OFFSET ${ROWS_A_ROUND - 1}`

// 1 row written for each that is deleted.
const FORGET = `
  DELETE FROM notifications WHERE at_ms < ?3 AND (ledger_id, sequence) IN (
    SELECT ledger_id, sequence FROM notifications WHERE (ledger_id, sequence) > (?1, ?2)
    ORDER BY ledger_id, sequence LIMIT ${ROWS_A_ROUND})`

/**
 * Deletes notifications that are older than the retention. Walks them in the order of their keys, at most `rounds` times
 * 10,000 from the place `after`: an index by time would cost each notification another row.
 */
export async function forgetNotifications(
  env: Pick<Bindings, 'DB'>,
  before_ms: number,
  { after, reach, rounds }: { after: string; reach: (place: string) => void; rounds: number },
): Promise<number> {
  let place = after
  let deleted = 0
  for (let round = 0; round < rounds; round++) {
    const [ledger_id = '', sequence = '0'] = place.split('\n')
    const [last, forgotten] = await env.DB.batch<{ ledger_id: string; sequence: number }>([
      env.DB.prepare(END_OF_ROUND).bind(ledger_id, Number(sequence)),
      env.DB.prepare(FORGET).bind(ledger_id, Number(sequence), before_ms),
    ])
    deleted += forgotten?.meta.changes ?? 0
    const end = last?.results[0]
    place = end ? `${end.ledger_id}\n${end.sequence}` : ''
    reach(place)
    if (!end) break
  }
  return deleted
}
