import { expect, it } from 'vitest'
import { type Room, roomFor } from '../../src/http/middleware/large-bodies.ts'

const MB = 1024 * 1024

it.each([
  { letters: 'é', fits: true },
  { letters: '語', fits: false },
  { letters: '💸', fits: false },
])('a body with $letters in it is weighed by the memory of its letters', async ({ letters, fits }) => {
  const first = await entered(3 * MB)
  first.weigh(new TextEncoder().encode(`${'x'.repeat(3 * MB - 8)}${letters}`))
  let second: Room | undefined
  const entering = entered(MB).then((room) => {
    second = room
  })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(second !== undefined).toBe(fits)
  first.leave()
  await entering
  second?.leave()
})

it('bodies enter in the order of their arrival, and small ones do not overtake large ones', async () => {
  const first = await entered(5 * MB)
  const order: number[] = []
  const others = [5, 4, 1, 1, 5].map(async (size, index) => {
    const room = await entered(size * MB)
    order.push(index)
    await Promise.resolve()
    room.leave()
  })
  expect(order).toEqual([])
  first.leave()
  await Promise.all(others)
  expect(order).toEqual([0, 1, 2, 3, 4])
})

it('a body that is smaller than expected frees the rest of its memory', async () => {
  const first = await entered(5 * MB)
  const second = entered(4 * MB)
  first.shrinkTo(MB)
  const others = await second
  first.leave()
  others.leave()
})

async function entered(bytes: number): Promise<Room> {
  const room = await roomFor(bytes)
  if (!room) throw new Error('no room in time')
  return room
}
