/**
 * A program that tracks events until it is killed: `node client.ts URL KEY STORE PROGRESS LAST`. It writes the number
 * of each event to the file PROGRESS before it tracks the event, so a kill loses at most one event. When it starts
 * again, it continues after the last written number.
 */
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { fileStore } from '../../src/file.ts'
import { OpenMonetize } from '../../src/index.ts'

const BURST = 50
const PAUSE_MS = 40

async function main(
  baseUrl: string,
  apiKey: string,
  store: string,
  progress: string,
  last: number,
): Promise<void> {
  const om = new OpenMonetize({
    apiKey,
    baseUrl,
    timeoutMs: 3_000,
    onError: () => undefined,
    queue: { store: fileStore(store), intervalMs: 20, batchEvents: 200 },
  })
  const noted = existsSync(progress) ? readFileSync(progress, 'utf8').trimEnd().split('\n').at(-1) : undefined
  const file = openSync(progress, 'a')
  for (let number = Number(noted ?? 0) + 1; number <= last; number++) {
    writeSync(file, `${number}\n`)
    om.track({
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      user_id: `user-${number % 7}`,
      provider: 'OPENAI',
      model: 'gpt-4o',
      input_tokens: 200,
      metadata: { number },
    })
    if (number % BURST === 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  await om.close({ timeoutMs: 120_000 })
}

const [, , url = '', key = '', store = '', progress = '', last = '0'] = process.argv
await main(url, key, store, progress, Number(last))
