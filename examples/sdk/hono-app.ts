/**
 * A Hono app that holds credits before it calls the model. If the wallet has too few credits, it returns 402 with a
 * message for the user.
 */

import { GoogleGenAI } from '@google/genai'
import { InsufficientCreditsError, OpenMonetize } from '@openmonetize/edge'
import { meter } from '@openmonetize/edge/google'
import { Hono } from 'hono'

const om = new OpenMonetize({
  apiKey: process.env.OPENMONETIZE_KEY ?? '',
  baseUrl: process.env.OPENMONETIZE_URL ?? 'http://localhost:8787',
})
const google = new GoogleGenAI({
  apiKey: process.env.GEMINI_API_KEY ?? '',
  httpOptions: process.env.GEMINI_URL ? { baseUrl: process.env.GEMINI_URL } : {},
})

export const app = new Hono()

app.post('/ask', async (c) => {
  const { user_id, question }: { user_id: string; question: string } = await c.req.json()
  const ai = meter(google, om, { feature_id: 'chat', user_id, hold: true })
  const { text } = await ai.models.generateContent({
    model: 'gemini-2.5-pro',
    contents: question,
    config: { maxOutputTokens: 1000 },
  })
  return c.json({ text })
})

app.onError((error, c) => {
  if (!(error instanceof InsufficientCreditsError)) throw error
  return c.json({ message: 'Not enough credits. Buy credits to continue.', required: error.required }, 402)
})
