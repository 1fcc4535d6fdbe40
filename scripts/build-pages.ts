/**
 * Builds the dashboard and the widgets before the tests: a build beside a running server would make it load its files
 * again in the middle of a test.
 */

import { buildStalePages } from './static-pages.ts'

await buildStalePages()
