import { configOf, type DropInEndpoint } from '../config.ts'
import { guard } from '../http/env.ts'
import { notFound } from '../http/output/problem.ts'

export type Endpoint = DropInEndpoint

/** Creates middleware that returns 404 if the deployment has disabled the endpoint. */
export function whenEnabled(endpoint: Endpoint) {
  return guard((c) => (configOf(c.env).drop_in.includes(endpoint) ? undefined : notFound(c)))
}
