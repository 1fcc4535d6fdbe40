import { openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { json, sse, startUpstream } from '../support/upstream.ts'
import { gatewayCustomer, newState, PROVIDER_KEY, post, startGateway } from './gateway.ts'
import * as scripts from './scripts.ts'

const PROMPT = 'canary-of-the-prompt-4f1c'
const ANSWER = 'canary-of-the-answer-9a2e'
const KNOWN = 'canary-of-the-metadata-77d0'

it('no table, queue, log or error contains prompts, answers or keys of providers', async () => {
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
  await customer.events(4)
  // Waits for the flush to D1 and the queue.
  await expect.poll(() => bytesIn(state).includes(KNOWN), { timeout: 10_000 }).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await gateway.kill()
  const everything = bytesIn(path.dirname(state)) + answers.join()
  expect(everything).toContain('"event":"request"')
  for (const secret of [PROMPT, ANSWER, PROVIDER_KEY]) expect(everything.includes(secret), secret).toBe(false)
  await upstream.stop()
  await gateway.stop()
})

/** Returns the content of all files in a folder as text. */
function bytesIn(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => path.join(folder, file))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file, 'latin1'))
    .join('\n')
}
