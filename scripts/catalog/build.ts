import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { buildCatalogue } from './catalogue.ts'
import { changesBetween, describeChanges } from './changes.ts'
import { publish } from './publish.ts'
import { writeReport } from './report.ts'

const CATALOGUE = join(import.meta.dirname, '../../src/pricing/catalogue.json')

const { values } = parseArgs({ options: { check: { type: 'boolean' }, publish: { type: 'string' } } })

if (values.check === true) {
  const { text } = await buildCatalogue()
  console.log(describeChanges(changesBetween(await readFile(CATALOGUE, 'utf8'), text, Date.now())))
} else if (values.publish !== undefined) {
  await publish(values.publish, await readFile(CATALOGUE, 'utf8'), process.env.PRICE_FEED_SIGNING_KEY)
} else await build()

async function build(): Promise<void> {
  const built = await buildCatalogue()
  await writeFile(CATALOGUE, built.text)
  await writeFile(join(import.meta.dirname, '../../docs/catalogue.md'), writeReport(built))

  const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`
  const { text } = built
  console.log(`catalogue: ${kilobytes(text.length)}, ${kilobytes(gzipSync(text, { level: 9 }).length)} gzip`)
  const open = built.differences.filter(({ decision }) => decision === undefined)
  console.log(
    `${built.differences.length} differences between sources, ${open.length} undecided: docs/catalogue.md`,
  )
}
