import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildCatalogue } from './catalogue.ts'

const text = await buildCatalogue()
await writeFile(join(import.meta.dirname, '../../src/pricing/catalogue.json'), text)

const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`
console.log(`catalogue: ${kilobytes(text.length)}, ${kilobytes(gzipSync(text, { level: 9 }).length)} gzip`)
