import { expect, it } from 'vitest'
import { type Room, roomFor } from '../../src/http/middleware/large-bodies.ts'

const MB = 1024 * 1024

it.each([
  { letters: 'é', fits: true },
  { letters: '語', fits: false },
  { letters: '💸', fits: false },
])('a body with $letters in it is weighed by what its letters occupy', async ({ letters, fits }) => {
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

async function entered(bytes: number): Promise<Room> {
  const room = await roomFor(bytes)
  if (!room) throw new Error('no room in time')
  return room
}
