/**
 * Builds the dashboard and the widgets if they are missing or older than their source. Runs before the tests: a build
 * beside a running server would make it load its files again in the middle of a test.
 */

import { buildStaleDashboard } from '../dashboard/build.ts'
import { buildStaleWidgets } from '../widgets/build.ts'

await Promise.all([buildStaleDashboard(), buildStaleWidgets()])
