import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { json, sse, startUpstream, type Upstream } from '../support/upstream.ts'
import { AGENTS } from './agents.ts'
import { type GatewayCustomer, gatewayCustomer } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Tests that run the code blocks of `docs/gateway.md` as a reader copies them, with the URL and the key of a test. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/gateway.md'), 'utf8')
const blocks = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = '']) => ({
  language,
  code: code.replaceAll('https://METER', gateway.url),
}))

/** Returns the code block in a language that contains a text. Throws if there is not exactly one. */
function block(language: string, text: string): string {
  const found = blocks.filter((one) => one.language === language && one.code.includes(text))
  if (found.length !== 1) throw new Error(`${found.length} blocks in ${language} contain ${text}`)
  return found[0]?.code ?? ''
}

const customerOf = () => gatewayCustomer(gateway.url, upstream.url)

/** Runs a code block of the page as a module, and returns the client in its variable `name`. */
async function evaluated(code: string, name: string, { apiKey }: GatewayCustomer): Promise<object> {
  const messages = [{ role: 'user', content: 'Hello' }]
  const process = { env: { OPENMONETIZE_API_KEY: apiKey } }
  const names = ['OpenAI', 'Anthropic', 'GoogleGenAI', 'process', 'messages']
  const run = new Function(...names, `return (async () => { ${code}; return ${name} })()`)
  return Reflect.apply(run, undefined, [OpenAI, Anthropic, GoogleGenAI, process, messages])
}

it('has no code block that is not tested here', () => {
  expect(blocks.map(({ language }) => language).toSorted()).toEqual(
    ['json', 'sh', 'sh', 'toml', 'ts', 'ts', 'ts'].toSorted(),
  )
})

it('OpenAI: the module sends a call that is charged to the user ada', async () => {
  const customer = await customerOf()
  upstream.play(json(scripts.CHAT_COMPLETION))
  await evaluated(block('ts', 'new OpenAI('), 'openai', customer)
  expect((await customer.events(1))[0]).toMatchObject({ user_id: 'ada' })
})

it('Anthropic: the module creates a client that calls the gateway', async () => {
  const customer = await customerOf()
  upstream.play(json(scripts.MESSAGE))
  const anthropic: Anthropic = Object(await evaluated(block('ts', 'new Anthropic('), 'anthropic', customer))
  await anthropic.messages.create({
    model: scripts.CLAUDE_MODEL,
    max_tokens: 9,
    messages: [{ role: 'user', content: 'Hello' }],
  })
  expect(await customer.burned(1)).toBe(await customer.price(scripts.MESSAGE_PRICE))
})

it('Gemini: the module creates a client that calls the gateway', async () => {
  const customer = await customerOf()
  upstream.play(json(scripts.geminiChunk('Well.', scripts.GEMINI_USAGE, 'STOP')))
  const ai: GoogleGenAI = Object(await evaluated(block('ts', 'new GoogleGenAI('), 'ai', customer))
  await ai.models.generateContent({ model: scripts.GEMINI_MODEL, contents: 'Hello' })
  expect(await customer.burned(1)).toBe(await customer.price(scripts.GEMINI_PRICE))
})

it('curl: the line streams, with the charge at the end', async () => {
  const customer = await customerOf()
  upstream.play(sse([...scripts.CHAT_WORDS, scripts.CHAT_STOP, scripts.CHAT_REPORT], { tail: scripts.DONE }))
  const env = { PATH: process.env.PATH, OPENMONETIZE_API_KEY: customer.apiKey }
  const { stdout } = await promisify(execFile)('sh', ['-c', block('sh', 'curl -N')], { env })
  expect(stdout).toContain(': X-Meter-Credits-Burned: ')
  expect(await customer.burned(1)).toBe(await customer.price(scripts.CHAT_PRICE))
})

const [claude, codex] = AGENTS

/** Sends a call as Claude Code does with the environment variables `env`. */
async function claudeCall(env: Readonly<Record<string, string | undefined>>) {
  const sent = Object.fromEntries(
    (env.ANTHROPIC_CUSTOM_HEADERS ?? '').split('\n').map((line) => line.split(': ', 2)),
  )
  const response = await fetch(`${env.ANTHROPIC_BASE_URL}${claude?.path}`, {
    method: 'POST',
    headers: { ...claude?.headers, authorization: `Bearer ${env.ANTHROPIC_AUTH_TOKEN}`, ...sent },
    body: claude?.body ?? '',
  })
  return response.text()
}

it('Claude Code: the shell commands set variables for calls through the gateway', async () => {
  const customer = await customerOf()
  upstream.play(json(scripts.MESSAGE))
  const env = {
    PATH: process.env.PATH,
    OPENMONETIZE_API_KEY: customer.apiKey,
    USER: 'ada',
    ANTHROPIC_API_KEY: 'x',
  }
  const print = `${block('sh', 'ANTHROPIC_BASE_URL')}\nnode -p 'JSON.stringify(process.env)'`
  const variables: Record<string, string> = JSON.parse(
    execFileSync('sh', ['-c', print], { env, encoding: 'utf8' }),
  )
  expect(variables.ANTHROPIC_API_KEY).toBeUndefined()
  await claudeCall(variables)
  expect((await customer.events(1))[0]).toMatchObject({ user_id: 'ada', feature_id: 'gateway' })
})

it('Claude Code: the settings file sets variables for calls through the gateway', async () => {
  const customer = await customerOf()
  upstream.play(json(scripts.MESSAGE))
  const settings: { env: Record<string, string> } = JSON.parse(
    block('json', 'ANTHROPIC_BASE_URL').replace('om_live_…', customer.apiKey),
  )
  await claudeCall(settings.env)
  expect((await customer.events(1))[0]).toMatchObject({ user_id: 'ada', feature_id: 'claude-code' })
})

it('Codex: its configuration', async () => {
  const customer = await customerOf()
  upstream.play(json(scripts.RESPONSE))
  const env: Readonly<Record<string, string>> = { OPENMONETIZE_API_KEY: customer.apiKey, USER: 'ada' }
  const config = Object.fromEntries(
    [...block('toml', 'model_providers').matchAll(/^(\w+) = (.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      JSON.parse(value.replaceAll('" = "', '": "')),
    ]),
  )
  expect(config).toMatchObject({ model_provider: 'meter', wire_api: 'responses' })
  expect(config.name).not.toBe('OpenAI')
  const named = Object.entries<string>(config.env_http_headers)
  const response = await fetch(`${config.base_url}${codex?.path}`, {
    method: 'POST',
    headers: {
      ...codex?.headers,
      ...config.http_headers,
      ...Object.fromEntries(named.map(([header, variable]) => [header, env[variable] ?? ''])),
      authorization: `Bearer ${env[config.env_key]}`,
    },
    body: codex?.body ?? '',
  })
  expect(response.status).toBe(200)
  expect(JSON.parse(codex?.body ?? '{}').model).toBe(config.model)
  expect((await customer.events(1))[0]).toMatchObject({ user_id: 'ada', feature_id: 'codex' })
})
