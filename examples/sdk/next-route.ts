/** A Next.js route handler, `app/api/chat/route.ts`. It uses `after` to send the events after the response. */

import Anthropic from '@anthropic-ai/sdk'
import { OpenMonetize } from '@openmonetize/edge'
import { meter } from '@openmonetize/edge/anthropic'
import { after } from 'next/server'

const om = new OpenMonetize({
  apiKey: process.env.OPENMONETIZE_KEY ?? '',
  baseUrl: process.env.OPENMONETIZE_URL ?? 'http://localhost:8787',
  queue: { waitUntil: (work) => after(() => work) },
})

export async function POST(request: Request): Promise<Response> {
  const { user_id, question }: { user_id: string; question: string } = await request.json()
  const anthropic = meter(new Anthropic(), om, { feature_id: 'chat', user_id })
  const message = await anthropic.messages.create({
    model: 'claude-sonnet-4-6',
    max_tokens: 1024,
    messages: [{ role: 'user', content: question }],
  })
  const text = message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  return Response.json({ text })
}
