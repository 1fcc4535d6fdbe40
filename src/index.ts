import { createApp } from './app.ts'
import type { Bindings } from './config.ts'

export { CustomerLedger } from './ledger/object.ts'

const app = createApp()

export default { fetch: app.fetch } satisfies ExportedHandler<Bindings>
