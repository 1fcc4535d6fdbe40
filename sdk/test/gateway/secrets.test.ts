import { openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { json, sse, startUpstream } from '../support/upstream.ts'
import { gatewayCustomer, newState, PROVIDER_KEY, post, startGateway } from './gateway.ts'
import * as scripts from './scripts.ts'

const PROMPT = 'canary-of-the-prompt-4f1c'
const ANSWER = 'canary-of-the-answer-9a2e'
const KNOWN = 'canary-of-the-metadata-77d0'
const PASSED_KEY = 'sk-canary-of-a-passed-key-31b8'

it('no table, queue, log or error contains prompts, responses or provider keys', async () => {
  const upstream = await startUpstream()
  const state = newState()
  const log = path.join(path.dirname(state), 'log')
  const gateway = await startGateway(
    { LOG_SAMPLE_RATE: '1', SLOW_REQUEST_MS: '0', GATEWAY_IDLE_TIMEOUT_MS: '200' },
    { state, log: openSync(log, 'w') },
  )
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const body = (more: object = {}) => ({
    model: scripts.CHAT_MODEL,
    max_tokens: 1000,
    messages: [{ role: 'user', content: PROMPT }],
    ...more,
  })
  const answers: string[] = []
  const call = async (sent: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const response = await post(gateway, customer, 'openai/v1/chat/completions', sent, headers)
    return response.text().catch(() => '')
  }
  const said = scripts.chatChunk({ content: ANSWER })
  const message = { role: 'assistant', content: ANSWER }
  const choices = [{ index: 0, finish_reason: 'stop', message }]
  upstream.play(json({ ...scripts.CHAT_COMPLETION, choices }))
  await call(body(), { 'X-Meter-Metadata': JSON.stringify({ known: KNOWN }), 'Idempotency-Key': 'k1' })
  answers.push(await call(body(), { 'Idempotency-Key': 'k1' }))
  upstream.play(sse([said, said, scripts.CHAT_STOP, scripts.CHAT_REPORT], { tail: scripts.DONE }))
  await call(body({ stream: true }))
  upstream.play(sse([said, said], { cut: true }))
  await call(body({ stream: true }))
  upstream.play(sse([said, said], { hang: true }))
  await call(body({ stream: true }))
  upstream.play(json({ error: { message: `Incorrect key ${PROVIDER_KEY}: ${PROMPT}` } }, 401))
  await call(body())
  upstream.play((response) => {
    response.destroy()
  })
  answers.push(await call(body()))
  answers.push(await call(body({ model: PROMPT.repeat(20) })), await call(`{"broken": "${PROMPT}`))
  answers.push(await call(body(), { 'X-Provider-Key': PASSED_KEY, 'X-Meter-Provider-Key': 'openai' }))
  upstream.play(sse(answered(scripts.MESSAGE_EVENTS), { named: true }))
  const messages = { model: scripts.CLAUDE_MODEL, max_tokens: 100, stream: true, messages: body().messages }
  await (await post(gateway, customer, 'anthropic/v1/messages', messages)).text()
  upstream.play(json(answered([scripts.GEMINI_CHUNKS.at(-1)])[0]))
  const target = `${gateway.url}/gateway/google/v1beta/models/${scripts.GEMINI_MODEL}:generateContent`
  const gemini = await fetch(`${target}?key=${customer.apiKey}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: PROMPT }] }] }),
  })
  expect(await gemini.text()).toContain(ANSWER)
  upstream.play(json({ text: ANSWER, usage: { type: 'duration', seconds: 7 } }))
  const upload = new FormData()
  upload.set('model', 'whisper-1')
  upload.set('prompt', PROMPT)
  upload.set('file', new File([PROMPT.repeat(100)], `${PROMPT}.mp3`))
  const transcribed = await fetch(`${gateway.url}/gateway/openai/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${customer.apiKey}` },
    body: upload,
  })
  expect(await transcribed.text()).toContain(ANSWER)
  await customer.events(7)
  // Waits until the flush has written the events to D1 and the queue.
  await expect.poll(() => bytesIn(state).includes(KNOWN), { timeout: 10_000 }).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await gateway.kill()
  const everything = bytesIn(path.dirname(state)) + answers.join()
  expect(everything).toContain('"event":"request"')
  for (const secret of [PROMPT, ANSWER, PROVIDER_KEY, PASSED_KEY, customer.apiKey])
    expect(everything.includes(secret), secret).toBe(false)
  await upstream.stop()
  await gateway.stop()
})

/** Returns chunks of a provider with the canary in place of each of their texts. */
function answered(chunks: readonly unknown[]): object[] {
  return JSON.parse(JSON.stringify(chunks), (name, value) =>
    name === 'text' && typeof value === 'string' ? ANSWER : value,
  )
}

/** Returns the content of all files in a folder as text. */
function bytesIn(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => path.join(folder, file))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file, 'latin1'))
    .join('\n')
}
