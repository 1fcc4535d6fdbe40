/**
 * A script that calls OpenAI once: `OPENMONETIZE_KEY=om_… OPENAI_API_KEY=sk-… node script.ts`. The client writes events
 * to a file before it sends them, so that a crash does not lose them. `close()` sends the remaining events.
 */
import { OpenMonetize } from '@openmonetize/edge'
import { fileStore } from '@openmonetize/edge/file'
import { meter } from '@openmonetize/edge/openai'
import OpenAI from 'openai'

const om = new OpenMonetize({
  apiKey: process.env.OPENMONETIZE_KEY ?? '',
  baseUrl: process.env.OPENMONETIZE_URL ?? 'http://localhost:8787',
  queue: { store: fileStore(process.env.USAGE_FILE ?? 'usage.ndjson') },
})
const openai = meter(new OpenAI(), om, { feature_id: 'summaries', user_id: 'ada' })

export async function main(): Promise<string | null | undefined> {
  const completion = await openai.chat.completions.create({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: 'Summarise: the shoes may be returned within 30 days.' }],
  })
  await om.close()
  return completion.choices[0]?.message.content
}

if (import.meta.main) console.log(await main())
