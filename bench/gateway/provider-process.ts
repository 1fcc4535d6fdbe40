import { createServer } from 'node:http'
import { setTimeout } from 'node:timers/promises'

/**
 * A simulated provider. It responds immediately or after `metadata.delay_ms`, with a completion or with a stream of
 * `seed` chunks.
 */

const ANSWER = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-4o-2024-08-06',
  choices: [
    { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'word '.repeat(100) } },
  ],
  usage: { prompt_tokens: 20, completion_tokens: 100, total_tokens: 120 },
})
const CHUNK = `data: ${JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'gpt-4o-2024-08-06',
  choices: [{ index: 0, delta: { content: 'word ' }, finish_reason: null }],
  usage: null,
})}\n\n`
const END = `data: {"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: {"model":"gpt-4o-2024-08-06","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":100}}\n\ndata: [DONE]\n\n`

interface Body {
  readonly stream?: boolean
  readonly seed?: number
  readonly metadata?: { readonly delay_ms?: string }
}

const server = createServer({ keepAliveTimeout: 0 }, async (request, response) => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const body: Body = JSON.parse(Buffer.concat(parts).toString())
  const delay_ms = Number(body.metadata?.delay_ms ?? 0)
  if (delay_ms > 0) await setTimeout(delay_ms)
  if (body.stream !== true) {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(ANSWER)
    return
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  // Each chunk is a separate write, and no chunk waits for a timer.
  for (let sent = 0; sent < (body.seed ?? 0); sent++) {
    response.write(CHUNK)
    await new Promise(setImmediate)
  }
  response.end(END)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address) process.send?.(address.port)
})
