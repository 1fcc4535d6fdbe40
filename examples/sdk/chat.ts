/**
 * A streaming chat whose cost is limited by the wallet. It holds credits for the maximum cost before the call,
 * lowers the output limit to what the wallet can pay for, and captures the actual usage after the call. A user who
 * disconnects pays only for the delivered part.
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

/** Sends the queued events. Call it before the server stops. */
export const close = () => om.close()
