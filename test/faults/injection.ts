import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Config, configOf } from '../../src/config.ts'
import { Commits, type GroupCommit } from '../../src/ledger/commit/commits.ts'
import type { CustomerLedger } from '../../src/ledger/object.ts'
import { partOf, storeOf, type TestLedger } from '../support/ledgers.ts'

/**
 * Injects faults into a ledger object or its D1 database at an exact moment. Each fault occurs once, and afterwards
 * everything works again.
 */

/** The moment of a power cut, after which only the contents of the disk are left. */
export type Moment =
  /** The journal row is written, but the transaction is still open. */
  | 'inside the transaction'
  /** The transaction is closed, but the platform has not yet confirmed that it is on disk. */
  | 'after the transaction'
  /** The transaction is on disk, but the reply is not sent. */
  | 'before the reply'

export async function powerCut(ledger: TestLedger, moment: Moment): Promise<void> {
  await runInDurableObject(ledger.stub, (instance, state) => {
    const store = storeOf(instance)
    const cut = (): never => {
      state.abort('the power failed')
      throw new Error('the power failed')
    }
    if (moment === 'inside the transaction') {
      const write = store.write.bind(store)
      store.write = (...args) => {
        write(...args)
        return cut()
      }
    } else if (moment === 'after the transaction') {
      store.publish = cut
    } else {
      const group = groupOf(instance)
      const submit = group.submit.bind(group)
      group.submit = async (weight, apply) => {
        await submit(weight, apply)
        await state.storage.sync()
        return cut()
      }
    }
  })
}

/** Makes the next transaction fail after all of its writes, as with a full disk. */
export async function failNextTransaction(ledger: TestLedger): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    const store = storeOf(instance)
    const write = store.write.bind(store)
    store.write = (...args) => {
      write(...args)
      store.write = write
      throw new Error('the disk is full')
    }
  })
}

/** Delays requests until `requests` of them have arrived, so that they share a commit. */
export async function gather(ledger: TestLedger, requests: number): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    const group = groupOf(instance)
    let release = () => {}
    const gathered = new Promise<void>((resolve) => {
      release = resolve
    })
    let waiting = 0
    group.submit = async (weight, apply) => {
      if (++waiting === requests) {
        Reflect.deleteProperty(group, 'submit')
        release()
      }
      await gathered
      return group.submit(weight, apply)
    }
  })
}

/** Changes the configuration of the running object. A restarted object has its normal configuration again. */
export async function configure(ledger: TestLedger, change: Partial<Config>): Promise<void> {
  await runInDurableObject(ledger.stub, (instance) => {
    if (!Reflect.set(instance, 'config', { ...configOf(env), ...change })) {
      throw new Error('the object kept its configuration')
    }
  })
}

export function groupOf(instance: CustomerLedger): GroupCommit {
  return partOf(instance, 'commits', Commits).group
}

/** Returns all rows of the object's tables, so that a test can check that a failure changed none of them. */
export function dump(ledger: TestLedger): Promise<Record<string, unknown[]>> {
  return runInDurableObject(ledger.stub, (_, { storage: { sql } }) => {
    const tables = sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name",
      )
      .toArray()
    return Object.fromEntries(tables.map(({ name }) => [name, sql.exec(`SELECT * FROM "${name}"`).toArray()]))
  })
}

/** Returns the time of the object's alarm; null if no alarm is set. */
export function alarmOf(ledger: TestLedger): Promise<number | null> {
  return runInDurableObject(ledger.stub, (_, { storage }) => storage.getAlarm())
}
