import { env } from 'cloudflare:workers'
import { expect, it, vi } from 'vitest'
import { noteUse } from '../../src/gateway/answer.ts'
import { openCall } from '../../src/ledger/client/client.ts'
import { ZERO_CREDITS } from '../../src/pricing/money.ts'
import { freshLedger, ledgersLosing } from '../support/ledgers.ts'
import { CALLER, eventItem } from '../support/messages.ts'

/** Tests the log events of notes, which store the estimate of a running call in the ledger. */

it('a note that the ledger refuses is logged with the code, and a note after the settlement is not', async () => {
  const ledger = await freshLedger(1_000_000)
  const { event: most } = eventItem(100_000)
  if (!most) throw new Error('an item without an event')
  const call = { caller: CALLER, feature_id: 'gateway', lifetime_ms: 60_000, most }
  const opened = await openCall(env, ledger.name, call)
  if (opened.kind === 'refused') throw new Error(JSON.stringify(opened.refusal))
  const { hold } = opened.answer
  const place = { env, ledger: ledger.name, hold, held: ZERO_CREDITS, key_id: CALLER.key_id }
  const log = vi.spyOn(console, 'error').mockImplementation(() => {})

  await noteUse(place, null, 60_000)
  await noteUse({ ...place, hold: { ...hold, number: hold.number + 1 } }, null, 60_000)
  expect(log).not.toHaveBeenCalled()

  await noteUse({ ...place, env: { ...env, LEDGER: ledgersLosing('noteCall') } }, null, 60_000)
  expect(log.mock.calls.map(([line]) => JSON.parse(String(line)))).toEqual([
    { level: 'error', event: 'gateway_call_not_noted', ...ledger.name, code: 'unavailable' },
  ])
  log.mockRestore()
})
