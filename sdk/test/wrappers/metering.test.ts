import { afterEach, describe, expect, inject, it, vi } from 'vitest'
import { ConfigurationError } from '../../src/index.ts'
import { charsOf, Meter, type Metering } from '../../src/wrappers/metering.ts'
import { newMetered } from '../support/metered.ts'

const { url } = inject('server')
const CALL = { api: 'chat', model: 'gpt-4o', input: ['Hello'], max_output_tokens: 100 }
const MINUTES_MS = 60_000

afterEach(() => vi.restoreAllMocks())

describe('a metered call', () => {
  it('extends its hold while a stream runs', async () => {
    const { om } = await newMetered(url)
    const call = await new Meter(om, { hold: true }, 'OPENAI').begin(CALL)
    const [before] = (await om.holds.list()).data
    await new Promise((resolve) => setTimeout(resolve, 20))
    call.progress(10)
    const real = Date.now()
    vi.spyOn(Date, 'now').mockReturnValue(real + 6 * MINUTES_MS)
    call.progress(10)
    vi.restoreAllMocks()
    const expiry = async () => Date.parse(String((await om.holds.list()).data[0]?.expires_at))
    await expect.poll(expiry).toBeGreaterThan(Date.parse(String(before?.expires_at)))
  })

  it('reads its current options from a function', async () => {
    const { om } = await newMetered(url)
    let user_id = 'ada'
    const metering: Metering = () => ({ user_id })
    const meter = new Meter(om, metering, 'OPENAI')
    for (const next of ['ada', 'bob']) {
      user_id = next
      const call = await meter.begin(CALL)
      call.response = { model: 'gpt-4o', usage: { prompt_tokens: 10, completion_tokens: 1 } }
      call.isFinal = true
      call.end()
      call.end()
    }
    await om.flush()
    expect((await om.events.list()).data.map((event) => event.user_id)).toEqual(['bob', 'ada'])
    await expect(new Meter(om, () => Object({ user: 'x' }), 'OPENAI').begin(CALL)).rejects.toThrow(
      ConfigurationError,
    )
  })

  it('does not wait for a meter that is known to be unreachable', async () => {
    const { om } = await newMetered(url, { baseUrl: 'http://127.0.0.1:1', maxRetries: 0 })
    om.track({ event_type: 'API_CALL', feature_id: 'search' })
    await expect(om.flush({ timeoutMs: 50 })).rejects.toThrow()
    const create = vi.spyOn(om.holds, 'create')
    await new Meter(om, { hold: true }, 'OPENAI').begin(CALL)
    expect(create).not.toHaveBeenCalled()
  })
})

describe('charsOf', () => {
  it.each([
    ['text', 'Hello', 5],
    ['parts', [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }], 5],
    ['a picture of any size', { image_url: 'x'.repeat(1_000_000) }, 4_500],
    ['numbers and nothing', [1, null, undefined, true], 0],
  ])('counts %s', (_name, value, characters) => {
    expect(charsOf(value)).toBe(characters)
  })
})
