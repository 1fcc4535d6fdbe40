import { createServer, type Server } from 'node:http'
import { call, must, numberOf, serverUrl } from './demo-client.ts'

/**
 * The results of the gateway part of the demo: the cost of two streams from a simulated OpenAI server on this machine.
 */
export interface GatewayScene {
  /** The text of the first stream. */
  readonly text: string
  /** The credits that were charged for the first stream, which the client reads to the end. */
  readonly whole: number
  readonly expected: number
  /** The credits that were charged for the second stream, whose client disconnects early. */
  readonly left: number
}

const MODEL = 'gpt-4o-2024-08-06'
const USAGE = { prompt_tokens: 1200, completion_tokens: 180 }
const WORDS = ['The ', 'meter ', 'runs ', 'while ', 'the ', 'model ', 'speaks.']
const PAUSE_MS = 40
const WAIT_MS = 5_000

/**
 * Runs the gateway part of the demo. Returns undefined if the server refuses the provider key or the first call. Only a
 * local development server calls this machine.
 */
export async function gatewayScene(
  key: string,
  say: (piece: string) => void,
): Promise<GatewayScene | undefined> {
  const provider = await standIn()
  try {
    const base_url = `http://127.0.0.1:${portOf(provider)}/v1`
    const draft = { provider: 'OPENAI', name: 'Stand-in', key: 'sk-demo', base_url }
    const stored = await call('/v1/provider-keys', { key, body: draft })
    if (stored.status !== 201) return undefined
    const price = {
      provider: 'OPENAI',
      provider_api: 'chat',
      provider_response: { model: MODEL, usage: USAGE },
    }
    const calculated = must(await call('/v1/rating/calculate', { key, body: price }), 200)
    const text = await stream(key, say)
    if (text === undefined) return undefined
    const whole = await chargeOf(key, 1)
    await stream(key, () => {}, 3)
    const left = await chargeOf(key, 2)
    return { text, whole, expected: numberOf(calculated, 'credits'), left }
  } finally {
    provider.close()
    provider.closeAllConnections()
  }
}

/**
 * Reads a stream through the gateway, and returns its text. Disconnects after `pieces` pieces. Returns undefined if the
 * gateway refuses the call.
 */
async function stream(
  key: string,
  say: (piece: string) => void,
  pieces = Number.POSITIVE_INFINITY,
): Promise<string | undefined> {
  const leave = new AbortController()
  const response = await fetch(`${serverUrl()}/gateway/openai/v1/chat/completions`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${key}`,
      'Content-Type': 'application/json',
      'X-Meter-Feature': FEATURE,
    },
    body: JSON.stringify({
      model: 'gpt-4o',
      stream: true,
      max_tokens: 500,
      messages: [{ role: 'user', content: 'What do you do?' }],
    }),
    signal: leave.signal,
  })
  if (!response.ok) return undefined
  let text = ''
  let read = 0
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    for (const [, piece = ''] of decoder.decode(bytes, { stream: true }).matchAll(/"content":"([^"]*)"/g)) {
      text += piece
      say(piece)
      read += 1
    }
    if (read >= pieces) break
  }
  if (read >= pieces) leave.abort()
  return text
}

const FEATURE = 'gateway-demo'

/**
 * Waits until `calls` calls have been charged, and returns the credits of the newest one; 0 if this takes more than 5
 * s.
 */
async function chargeOf(key: string, calls: number): Promise<number> {
  const until = Date.now() + WAIT_MS
  for (;;) {
    const { body } = must(await call(`/v1/events?feature_id=${FEATURE}`, { key }), 200)
    const events: unknown = body.data
    if (Array.isArray(events) && events.length >= calls) {
      const [newest]: readonly unknown[] = events
      return numberOf(
        { status: 200, text: '', replayed: false, body: { ...Object(newest) } },
        'credits_burned',
      )
    }
    if (Date.now() > until) return 0
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

/** Starts a simulated OpenAI server that responds to every call with the same stream. */
async function standIn(): Promise<Server> {
  const chunk = (more: object) => `data: ${JSON.stringify({ model: MODEL, usage: null, ...more })}\n\n`
  const server = createServer(async (request, response) => {
    request.resume()
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    for (const content of WORDS) {
      if (response.destroyed) return
      response.write(chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }))
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    response.write(chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }))
    response.end(`${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the simulated provider has no port')
  return address.port
}
