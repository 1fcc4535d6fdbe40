import { createApp } from './app.ts'
import type { Bindings } from './bindings.ts'
import { runCron } from './cron.ts'
import { consumeQueue } from './queues.ts'

export { CustomerLedger } from './ledger/object.ts'

const app = createApp()

export default {
  fetch: app.fetch,
  queue: consumeQueue,
  scheduled: runCron,
} satisfies ExportedHandler<Bindings>
