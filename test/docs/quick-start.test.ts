import { it } from 'vitest'
import page from '../../docs/quick-start.md?raw'
import { runCurlLines } from './curl-lines.ts'

it('every curl line of docs/quick-start.md has the effect that the page describes, from the registration on', async () => {
  await runCurlLines(page)
})
