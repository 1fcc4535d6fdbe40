import { describe, expect, it } from 'vitest'
import { ENVIRONMENTS, readSection } from '../../scripts/deploy/sections.ts'

/**
 * Tests that the rate limiters of the platform do not refuse requests that the ledger would allow. Nothing else checks
 * this, because a rate limit binding does not report its limit.
 */

const TIERS = ['STARTER', 'GROWTH', 'ENTERPRISE']

describe.each([undefined, ...ENVIRONMENTS])('the limits of the section %s', (environment) => {
  const { vars, bindings } = readSection(environment)
  const allowed = (tier: string) => Number(vars[`RATE_LIMIT_${tier}`])

  it.each(TIERS)('protect %s far above the limit of its ledger', (tier) => {
    expect(allowed(tier)).toBeGreaterThan(0)
    expect(bindings).toContain(`ratelimit:SHIELD_${tier}:${3 * allowed(tier)}/60s`)
  })

  it('allow more look-ups of keys than any tier has requests, and limit requests without a key as the contract states', () => {
    expect(bindings).toContain(`ratelimit:LOOKUP_SHIELD:${3 * Math.max(...TIERS.map(allowed))}/60s`)
    expect(bindings).toContain('ratelimit:IP_LIMIT:100/60s')
  })
})
