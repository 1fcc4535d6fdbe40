import { createConfig, lintFromString } from '@redocly/openapi-core'
import { Ruleset, Spectral } from '@stoplight/spectral-core'
import { oas } from '@stoplight/spectral-rulesets'
import { expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { openApiDocument } from '../../src/openapi/document.ts'

const document = openApiDocument(createApp())

/**
 * The routes without a 4xx response, although the rule requires one. They need no key, have no parameters and never
 * refuse a request.
 */
const NOTHING_TO_REFUSE = [
  ...['/', '/health', '/ready', '/openapi.json', '/docs', '/docs/errors'],
  '/.well-known/openmonetize-keys.json',
]

it('passes the recommended rules of Redocly', async () => {
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({
    source: JSON.stringify(document),
    absoluteRef: 'openapi.json',
    config,
  })
  const found = problems.map(
    ({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`,
  )
  const excused = NOTHING_TO_REFUSE.map(
    (path) =>
      `operation-4xx-response: Operation must have at least one \`4XX\` response. #/paths/${path.replaceAll('/', '~1')}/get/responses`,
  )
  expect(found.toSorted()).toEqual(excused.toSorted())
})

it('passes the recommended rules of Spectral', async () => {
  const spectral = new Spectral()
  spectral.setRuleset(new Ruleset({ extends: [[oas, 'recommended']], rules: {} }))
  const problems = await spectral.run(JSON.stringify(document))
  expect(problems.map(({ code, message, path }) => `${code}: ${message} ${path.join('/')}`)).toEqual([])
})
