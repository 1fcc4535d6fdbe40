import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, inject, it } from 'vitest'
import { OPERATOR_TOKEN } from './support/server.ts'

const PYTHON = process.env.PYTHON ?? 'python3'
const found = spawnSync(PYTHON, ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0
if (!found)
  console.warn(
    `There is no ${PYTHON} of version 3.9 or newer: its client is not tested. PYTHON names another.`,
  )

it.skipIf(!found)(
  'the Python client passes its tests, with the same table of calls',
  { timeout: 240_000 },
  () => {
    const { status, stderr } = spawnSync(
      PYTHON,
      ['-W', 'error', '-m', 'unittest', 'discover', '-s', 'tests', '-t', '.'],
      {
        cwd: path.join(import.meta.dirname, '..', '..', 'sdk-python'),
        env: {
          ...process.env,
          METER_URL: inject('server').url,
          OPERATOR_TOKEN,
          PYTHONPATH: path.join(import.meta.dirname, '..', '..', 'sdk-python'),
          PYTHONDONTWRITEBYTECODE: '1',
        },
        encoding: 'utf8',
      },
    )
    expect(status, stderr).toBe(0)
  },
)
