import { describe, expect, it } from 'vitest'
import { jsonLists, jsonParameters, MAX_PARAMETER_BYTES } from '../../src/db/json-parameters.ts'

const bytes = (text: string) => Buffer.byteLength(text)

describe('a list that travels to D1 as JSON', () => {
  it('is one parameter while it fits, and none when it is empty', () => {
    expect(jsonParameters(['1', '"a"', '{"b":2}'])).toEqual(['[1,"a",{"b":2}]'])
    expect(jsonParameters([])).toEqual([])
  })

  it.each(['x', 'é', '語', '🦄'])(
    'has as many parameters as necessary, none above the limit, for text like %s',
    (character) => {
      const texts = Array.from({ length: 50 }, (_, i) => JSON.stringify(`${i} ${character.repeat(60_000)}`))
      const parameters = jsonParameters(texts)
      for (const parameter of parameters) expect(bytes(parameter)).toBeLessThanOrEqual(MAX_PARAMETER_BYTES)
      expect(parameters.length).toBe(Math.ceil(bytes(texts.join()) / MAX_PARAMETER_BYTES))
      expect(parameters.flatMap((parameter): unknown[] => JSON.parse(parameter))).toEqual(
        texts.map((text): unknown => JSON.parse(text)),
      )
    },
  )

  it('returns the item of each value, in any parameter', () => {
    const items = Array.from({ length: 50 }, (_, i) => ({ id: i, text: 'x'.repeat(60_000) }))
    const lists = jsonLists(items, ({ id, text }) => [id, text])
    expect(lists.length).toBe(2)
    for (const { list, items: own } of lists) {
      const values: [number, string][] = JSON.parse(list)
      expect(values.map(([id]) => id)).toEqual(own.map(({ id }) => id))
    }
    expect(lists.flatMap(({ items: own }) => own)).toEqual(items)
  })

  it('throws for a single value that fits into no parameter', () => {
    const text = (length: number) => JSON.stringify('x'.repeat(length))
    expect(() => jsonParameters([text(MAX_PARAMETER_BYTES)])).toThrow(/does not fit/)
    expect(jsonParameters([text(MAX_PARAMETER_BYTES - 10)])).toHaveLength(1)
  })
})
