import { DASHBOARD } from '../dashboard/build.ts'
import { WIDGET_FILES } from '../widgets/build.ts'
import { buildStaleFolder } from './static-folder.ts'

/** Builds the dashboard and the widgets if they are missing or older than their sources. */
export async function buildStalePages(): Promise<void> {
  await Promise.all([DASHBOARD, WIDGET_FILES].map(buildStaleFolder))
}
