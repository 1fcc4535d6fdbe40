import { env } from 'cloudflare:workers'

/** Bindings of a platform that is down: any use throws. */

const fail = () => {
  throw new Error('internal error of the platform')
}

export function brokenD1(): D1Database {
  return Object.create(env.DB, { prepare: { value: fail }, batch: { value: fail } })
}

export function brokenKv(): KVNamespace {
  return Object.create(env.API_KEYS, { get: { value: fail }, put: { value: fail } })
}
