/**
 * Builds the dashboard and the widgets if they are stale, before the tests start. A build during a test would make the
 * running servers reload their files.
 */

import { buildStalePages } from './static-pages.ts'

await buildStalePages()
