import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildCatalogue } from './catalogue.ts'
import { writeReport } from './report.ts'

const built = await buildCatalogue()
await writeFile(join(import.meta.dirname, '../../src/pricing/catalogue.json'), built.text)
await writeFile(join(import.meta.dirname, '../../docs/catalogue.md'), writeReport(built))

const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`
const { text } = built
console.log(`catalogue: ${kilobytes(text.length)}, ${kilobytes(gzipSync(text, { level: 9 }).length)} gzip`)
const open = built.differences.filter(({ decision }) => decision === undefined)
console.log(
  `${built.differences.length} differences between sources, ${open.length} undecided: docs/catalogue.md`,
)
