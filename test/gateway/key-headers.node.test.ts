import { expect, it } from 'vitest'
import { upstreamHeaders } from '../../src/gateway/upstream.ts'
import type { Dialect } from '../../src/provider-keys/providers.ts'

const API_KEY = 'AIzaSyExample0123456789'
const TOKEN = 'ya29.c.example'
const JWT = 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln'
const KEY = 'a-key-of-unknown-form'
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

const CASES: readonly (readonly [Dialect, host: string, key: string, header: Record<string, string>])[] = [
  ['openai', 'api.openai.com', KEY, bearer(KEY)],
  ['openai', 'api.openai.com', JWT, bearer(JWT)],
  ['anthropic', 'api.anthropic.com', KEY, { 'x-api-key': KEY }],
  ['google', 'generativelanguage.googleapis.com', API_KEY, { 'x-goog-api-key': API_KEY }],
  ['google', 'generativelanguage.googleapis.com', KEY, { 'x-goog-api-key': KEY }],
  ['google', 'generativelanguage.googleapis.com', TOKEN, bearer(TOKEN)],
  ['openai', 'generativelanguage.googleapis.com', API_KEY, bearer(API_KEY)],
  ['google', 'aiplatform.googleapis.com', API_KEY, { 'x-goog-api-key': API_KEY }],
  ['google', 'aiplatform.googleapis.com', 'AQ.Ab8', { 'x-goog-api-key': 'AQ.Ab8' }],
  ['google', 'aiplatform.googleapis.com', TOKEN, bearer(TOKEN)],
  ['google', 'europe-west1-aiplatform.googleapis.com', KEY, bearer(KEY)],
  ['google', 'aiplatform.eu.rep.googleapis.com', TOKEN, bearer(TOKEN)],
  ['google', 'aiplatform.eu.rep.googleapis.com', KEY, bearer(KEY)],
  ['openai', 'aiplatform.us.rep.googleapis.com', TOKEN, bearer(TOKEN)],
  ['openai', 'us-central1-aiplatform.googleapis.com', API_KEY, { 'x-goog-api-key': API_KEY }],
  ['google', 'us-central1-aiplatform-restricted.p.googleapis.com', KEY, bearer(KEY)],
  ['google', 'aiplatform.googleapis.com.proxy.example', KEY, { 'x-goog-api-key': KEY }],
  ['openai', 'x.openai.azure.com', KEY, { 'api-key': KEY }],
  ['openai', 'x.openai.azure.com', JWT, bearer(JWT)],
  ['openai', 'x.openai.azure.us', KEY, { 'api-key': KEY }],
  ['openai', 'x.openai.azure.cn', KEY, { 'api-key': KEY }],
  ['openai', 'x.cognitiveservices.azure.com', KEY, { 'api-key': KEY }],
  ['openai', 'x.services.ai.azure.com', KEY, { 'api-key': KEY }],
  ['anthropic', 'x.services.ai.azure.com', KEY, { 'api-key': KEY }],
  ['openai', 'eastus.api.cognitive.microsoft.com', KEY, { 'api-key': KEY }],
  ['openai', 'x-apim.azure-api.net', KEY, { 'api-key': KEY }],
  ['openai', 'x.eastus2.models.ai.azure.com', KEY, bearer(KEY)],
]

it.each(CASES)('a key of the API %s on %s, %s, is sent in the right header', (dialect, host, key, header) => {
  const headers = upstreamHeaders(dialect, `https://${host}/v1/x`, key, new Headers())
  expect(Object.fromEntries(headers)).toEqual({ 'accept-encoding': 'identity', ...header })
})
