import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readUpTo } from '../../src/http/read-up-to.ts'

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
}

const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(6_000), fc.constantFrom(4_095, 4_096, 16_384, 20_000)), {
  maxLength: 30,
})

it('a body has the same bytes in chunks of any sizes', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, async (lengths) => {
      let next = 0
      const chunks = lengths.map((length) => Uint8Array.from({ length }, () => next++ % 251))
      const whole = Buffer.concat(chunks)
      const read = await readUpTo(streamOf(chunks), whole.length)
      expect(whole.equals(read ?? Buffer.from('none'))).toBe(true)
      const most = whole.length - 1
      if (most >= 0) expect(await readUpTo(streamOf(chunks), most)).toBeUndefined()
    }),
    { numRuns: 200 },
  )
})

it('a body with one chunk is not copied', async () => {
  const chunk = new Uint8Array(10)
  expect(await readUpTo(streamOf([chunk]), 10)).toBe(chunk)
})
