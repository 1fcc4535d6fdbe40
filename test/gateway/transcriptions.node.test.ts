import { expect, it } from 'vitest'
import { callOfUpload } from '../../src/gateway/request/call-request.ts'
import { pricesOfTranscription } from '../../src/gateway/request/prices.ts'
import { allModels, findProvider } from '../../src/pricing/catalogue/catalogue.ts'
import { usdFromParts } from '../../src/pricing/money.ts'
import { pricingOfCall } from './pricings.ts'

const UPLOAD = {
  subtitles: false,
  most_audio_bytes: 1_000_000,
  lowest_rate: 2_000,
  ms: 0,
  exact: false,
  complete: false,
}

/** Returns the largest price of an upload of 1 MB; undefined if the model has no price for transcriptions. */
function heldPrice(model: string | undefined, provider = 'openai'): bigint | undefined {
  const endpoint = { kind: 'metered', event_type: 'AUDIO_PROCESSING', api: 'transcriptions' } as const
  const priced = pricesOfTranscription(pricingOfCall(endpoint, callOfUpload({ ...UPLOAD, model }), provider))
  if (priced.kind === 'refused' || priced.most.charge.kind !== 'priced') return undefined
  return usdFromParts(priced.most.charge.cost)
}

it('an upload whose model is still unknown is held at the price of the most expensive transcription model', () => {
  const openai = findProvider('openai')
  const models = openai ? allModels(openai).map(({ id }) => id) : []
  const transcription = models.filter((model) => /transcri|whisper/.test(model))
  const prices = transcription.flatMap((model) => heldPrice(model) ?? [])
  expect(transcription).toEqual(expect.arrayContaining(['whisper-1', 'gpt-4o-transcribe', 'gpt-transcribe']))
  expect(heldPrice(undefined)).toBe(prices.toSorted((a, b) => (a < b ? 1 : -1))[0])
})

it.each(['groq', 'mistral'])('the same is true for the transcription models of %s', (provider) => {
  const found = findProvider(provider)
  const models = found ? allModels(found).map(({ id }) => id) : []
  const prices = models
    .filter((model) => /whisper|transcribe|voxtral-mini-2/.test(model))
    .flatMap((model) => heldPrice(model, provider) ?? [])
  expect(prices).toHaveLength(2)
  expect(heldPrice(undefined, provider)).toBe(prices.toSorted((a, b) => (a < b ? 1 : -1))[0])
})
