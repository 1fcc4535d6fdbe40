/**
 * Builds the dashboard and the widgets before the tests. If they were built while a server runs, the server would
 * reload its files in the middle of a test.
 */

import { buildStalePages } from './static-pages.ts'

await buildStalePages()
