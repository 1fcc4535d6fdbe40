/**
 * Generates `src/api.ts` and `test/calls.json` from the OpenAPI document of this checkout's server and the file of its
 * examples. After you change a route, run `npm run generate -w sdk`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startServer } from '../test/support/server.ts'
import { API_TYPES, apiTypes } from './api-types.ts'
import { CALLS, calls } from './calls.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'openmonetize-generate-'))
const server = await startServer(path.join(directory, 'bundle'), path.join(directory, 'state'))
try {
  const document = await (await fetch(`${server.url}/openapi.json`)).text()
  const table = calls(document)
  writeFileSync(API_TYPES, await apiTypes(document))
  writeFileSync(CALLS, `[\n${table.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n]\n`)
  console.log(`Wrote the types of the API, and ${table.length} calls.`)
} finally {
  await server.kill()
  rmSync(directory, { recursive: true, force: true })
}
