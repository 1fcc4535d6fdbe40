import { invalidRequest } from '../output/problem.ts'
import { guard } from './guard.ts'

const PRINTABLE_ASCII = /^[\x20-\x7e]{1,255}$/

/** Validates the `Idempotency-Key` header of a POST and stores it as `idempotency_key`. */
export const idempotencyKey = guard((c) => {
  const key = c.req.method === 'POST' ? c.req.header('Idempotency-Key') : undefined
  if (key !== undefined && !PRINTABLE_ASCII.test(key)) {
    const message = 'must be 1 to 255 printable ASCII characters'
    return invalidRequest(c, `The header Idempotency-Key ${message}.`, [
      { path: '/Idempotency-Key', message },
    ])
  }
  c.set('idempotency_key', key)
  return
})
