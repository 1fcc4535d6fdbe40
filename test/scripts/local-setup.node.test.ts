import { describe, expect, it } from 'vitest'
import { missingSecrets } from '../../scripts/local-setup.ts'

const EXAMPLE = `# Opens the operator's routes.
OPERATOR_TOKEN=dev-operator-token

# OPERATOR_TOKEN_NEXT=

# Encrypts.
ENCRYPTION_KEY=dev-encryption-key
`

describe('the secrets of an existing .dev.vars', () => {
  it.each([
    ['are complete', 'OPERATOR_TOKEN=mine\nENCRYPTION_KEY=mine\n', []],
    ['lack one of a later version', 'OPERATOR_TOKEN=mine\n', ['ENCRYPTION_KEY=dev-encryption-key']],
    ['lack all', '', ['OPERATOR_TOKEN=dev-operator-token', 'ENCRYPTION_KEY=dev-encryption-key']],
    ['are set in other forms', ' OPERATOR_TOKEN = "mine"\r\nexport ENCRYPTION_KEY=mine', []],
    ['are switched off on purpose', 'OPERATOR_TOKEN=mine\nENCRYPTION_KEY=', []],
    [
      'are mentioned in a comment only',
      'OPERATOR_TOKEN=mine\n# ENCRYPTION_KEY=x\nENCRYPTION_KEY_NEXT=y',
      ['ENCRYPTION_KEY=dev-encryption-key'],
    ],
  ])('that %s', (_, existing, missing) => {
    expect(missingSecrets(EXAMPLE, existing)).toEqual(missing)
  })
})
