import { expect, it } from 'vitest'
import {
  api,
  describeInBrowser,
  expectFits,
  goTo,
  newCustomer,
  openDashboard,
  picture,
  rowsOf,
  useBrowser,
  violations,
} from './support/browser.ts'
import { useOfModels } from './support/events.ts'

useBrowser()

describeInBrowser('entitlements', () => {
  it('are created, and show their usage', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    await goTo(page, '/entitlements')
    await page.getByText('No entitlement yet').waitFor()
    const form = page.getByRole('form', { name: 'Create an entitlement' })
    await form.getByLabel('Feature', { exact: true }).fill('chat')
    await form.getByLabel('Amount').fill('100.5')
    await form.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('img', { name: 'Used: 0 of 100.5' }).waitFor()
    const event = {
      event_type: 'CUSTOM',
      feature_id: 'chat',
      provider: 'OPENAI',
      model: 'gpt-4o',
      input_tokens: 1000,
      output_tokens: 500,
    }
    await api('POST', '/v1/events/ingest', { key, body: { ...event, event_type: 'TOKEN_USAGE' } })
    await page.reload()
    await page.getByRole('img', { name: 'Used: 15 of 100.5' }).waitFor()
    await page.getByRole('button', { name: /^Delete/ }).click()
    await page.getByRole('button', { name: /^Delete/ }).click()
    await page.getByText('No entitlement yet').waitFor()
    expectQuiet()
    await close()
  })
})

describeInBrowser('a burn table', () => {
  it('is simulated on the last days before it is saved', async () => {
    const { api_key: key } = await newCustomer()
    await useOfModels(key, 40)
    const { page, expectQuiet, close } = await openDashboard({ credential: key, expected: [400] })
    await goTo(page, '/burn-tables')
    await page.getByRole('button', { name: 'Create your own table' }).click()
    const form = page.getByRole('form', { name: 'Burn table' })
    await form.getByLabel('Name').fill('Twice as dear')
    await form.getByLabel('Rules (JSON)').fill('[{"method":"cost_plus","markup_percent":300}]')
    await form.getByRole('button', { name: /^Simulate/ }).click()
    const simulation = page.getByRole('region', { name: 'Simulation' })
    await simulation.waitFor()
    const { totals } = Object(await api('GET', '/v1/analytics/usage', { key }))
    const shown = await simulation
      .locator('.amount')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-value')))
    expect(shown).toContain(totals.credits)
    const by_model = Object(await api('GET', '/v1/analytics/usage?group_by=provider,model', { key })).data
    const models = simulation.getByRole('group', { name: 'Difference by model' }).locator('tbody tr')
    expect(await models.count()).toBe(by_model.length)
    for (const { group, events, credits } of by_model) {
      const row = models.filter({ has: page.getByText(`${group.provider} ${group.model}`, { exact: true }) })
      const amounts = await row
        .locator('.amount')
        .evaluateAll((all) => all.map((one) => one.getAttribute('data-value')))
      expect(amounts.slice(0, 2)).toEqual([events, credits])
    }
    expect(await violations(page)).toEqual([])
    await expectFits(page)
    await picture(page, 'burn-tables')
    expect(rowsOf(await api('GET', '/v1/burn-tables', { key }))).toEqual([])

    await form.getByLabel('Rules (JSON)').fill('[{"method":"cost_plus"}]')
    await form.getByRole('button', { name: /^Simulate/ }).click()
    await form
      .getByRole('alert')
      .getByText(/markup_percent/)
      .waitFor()
    await form.getByLabel('Rules (JSON)').fill('[{"method":"cost_plus","markup_percent":300.000001}]')
    await form.getByRole('button', { name: /^Save/ }).click()
    await page.getByRole('cell', { name: 'Twice as dear', exact: true }).waitFor()
    const active = Object(await api('GET', '/v1/burn-tables/active', { key }))
    expect(active.rules).toMatchObject([{ method: 'cost_plus', markup_percent: '300.000001' }])
    expectQuiet()
    await close()
  })
})

describeInBrowser('API keys', () => {
  it('are created with scopes, rotated and deleted; the session moves to the key that replaces its own', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    await goTo(page, '/keys')
    const form = page.getByRole('form', { name: 'Create a key' })
    await form.getByLabel('Name').fill('Reporter')
    await form.getByRole('button', { name: 'Create' }).click()
    const made = page.getByRole('group', { name: 'The new API key' })
    const reporter = (await made.textContent()) ?? ''
    expect(reporter).toMatch(/^om_live_/)
    const keys = rowsOf(await api('GET', '/v1/api-keys', { key }))
    expect(keys.find(({ name }) => name === 'Reporter')?.scopes).toEqual(['events:write'])
    await page.getByRole('row', { name: /Reporter/ }).waitFor()
    await page.getByRole('button', { name: 'Delete Reporter' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('row', { name: /Reporter.*revoked/ }).waitFor()

    const own = page.getByRole('row', { name: /this session/ })
    await own.getByRole('button', { name: /^Rotate/ }).click()
    await page.getByRole('form', { name: 'Rotate a key' }).getByRole('button', { name: 'Rotate' }).click()
    await expect.poll(() => made.textContent(), { timeout: 15_000 }).not.toBe(reporter)
    const next = (await made.textContent()) ?? ''
    await expect(api('GET', '/v1/credits/balance', { key })).rejects.toThrow('revoked_api_key')
    expect(Object(await api('GET', '/v1/credits/balance', { key: next })).balance).toBe('10000')
    await goTo(page, '/credits')
    await page.getByRole('region', { name: 'Balance' }).getByText('10,000').waitFor()
    expectQuiet()
    await close()
  })
})

describeInBrowser('users and teams', () => {
  it('are added, lead to their usage, and are erased', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    await goTo(page, '/subjects')
    const form = page.getByRole('form', { name: 'Add a user' })
    await form.getByLabel("New user's id").fill('ada lovelace')
    await form.getByLabel('Email').fill('ada@example.com')
    await form.getByRole('button', { name: 'Add' }).click()
    const row = page.getByRole('row', { name: /ada@example.com/ })
    await row.waitFor()
    await row.getByRole('button', { name: /^Erase/ }).click()
    await row.getByRole('button', { name: 'Erase', exact: true }).click()
    await row.waitFor({ state: 'detached' })
    expectQuiet()
    await close()
  })
})

describeInBrowser('the gateway page', () => {
  it('has the lines of each client, with the address of this deployment', async () => {
    const { api_key: key } = await newCustomer()
    const { page, expectQuiet, close } = await openDashboard({ credential: key })
    await goTo(page, '/gateway')
    expect(await page.getByRole('group', { name: 'The environment' }).textContent()).toContain(key)
    await page.getByLabel('Client', { exact: true }).selectOption('Claude Code')
    const code = page.getByRole('group', { name: 'Claude Code' })
    expect(await code.textContent()).toContain(
      `ANTHROPIC_BASE_URL=${new URL(page.url()).origin}/gateway/anthropic`,
    )
    expectQuiet()
    await close()
  })
})
