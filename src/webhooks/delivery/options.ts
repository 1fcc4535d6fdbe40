import type { Fetch } from '../../http/outbound/resolve.ts'
import { TIMEOUT_MS } from './send.ts'

/** The means by which the consumer and the test route send. Tests have a clock and receivers of their own. */
export interface DeliverOptions {
  readonly fetcher: Fetch
  readonly now: () => number
  readonly timeout_ms: number
  readonly patience_ms: number
  /** Keeps the run alive for work that continues after it. */
  readonly defer: (work: Promise<void>) => void
}

const PATIENCE_MS = 1_000

export function deliverOptions(defer: DeliverOptions['defer']): DeliverOptions {
  return {
    fetcher: (url, init) => fetch(url, init),
    now: () => Date.now(),
    timeout_ms: TIMEOUT_MS,
    patience_ms: PATIENCE_MS,
    defer,
  }
}
