import { it } from 'vitest'
import page from '../../docs/quick-start.md?raw'
import { runCurlLines } from './curl-lines.ts'

it('every curl line of docs/quick-start.md does what the page says, from the registration on', async () => {
  await runCurlLines(page)
})
