/**
 * Sends the usage of earlier days from a CSV file: `node backfill.ts usage.csv`. The id of each row is the idempotency
 * key of its event, so a run that is repeated within 7 days charges no row twice. A row can be up to 35 days old,
 * and is charged at the prices of its own time.
 */
import { readFileSync } from 'node:fs'
import { type Event, OpenMonetize, type OpenMonetizeError } from '@openmonetize/edge'

export interface Backfilled {
  readonly sent: number
  readonly rejected: readonly string[]
}

export async function backfill(file: string): Promise<Backfilled> {
  const rejected: string[] = []
  const om = new OpenMonetize({
    apiKey: process.env.OPENMONETIZE_KEY ?? '',
    baseUrl: process.env.OPENMONETIZE_URL ?? 'http://localhost:8787',
    onError: (error: OpenMonetizeError, event?: Event) =>
      rejected.push(`${event?.idempotency_key}: ${error.detail}`),
  })
  const [, ...rows] = readFileSync(file, 'utf8').trim().split('\n')
  for (const row of rows) {
    const [idempotency_key = '', timestamp = '', user_id = '', model = '', input = '', output = ''] =
      row.split(',')
    om.track({
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider: 'OPENAI',
      idempotency_key,
      timestamp,
      user_id,
      model,
      input_tokens: Number(input),
      output_tokens: Number(output),
    })
  }
  await om.close()
  return { sent: om.stats().sent, rejected }
}

if (import.meta.main) console.log(await backfill(process.argv[2] ?? 'usage.csv'))
