/**
 * A chat that streams, and never spends more than was paid for: a hold for the worst case before the call, an output
 * limit that the wallet can pay, and the real usage after it. A reader who disconnects pays for the delivered part.
 */
import { OpenMonetize } from '@openmonetize/edge'
import { meter } from '@openmonetize/edge/openai'
import OpenAI from 'openai'

const om = new OpenMonetize({
  apiKey: process.env.OPENMONETIZE_KEY ?? '',
  baseUrl: process.env.OPENMONETIZE_URL ?? 'http://localhost:8787',
})
const client = new OpenAI()

export async function* chat(user_id: string, question: string): AsyncGenerator<string> {
  const openai = meter(client, om, { feature_id: 'chat', user_id, hold: true, clip: true })
  const stream = await openai.chat.completions.create({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: question }],
    max_completion_tokens: 1000,
    stream: true,
  })
  for await (const { choices } of stream) yield choices[0]?.delta.content ?? ''
}

/** Sends the waiting events before a server ends. */
export const close = () => om.close()
