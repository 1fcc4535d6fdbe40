import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'

/**
 * The files that a workspace builds and that the Worker serves. They are in a folder of `public` that git ignores.
 */
export interface StaticFolder {
  /** The name that the message after a build shows. */
  readonly name: string
  readonly workspace: string
  readonly built: string
  /** A file that every build writes into the folder. Its modification time shows whether the build is stale. */
  readonly marker: string
  /** The source files and folders, relative to the workspace. */
  readonly sources: readonly string[]
  /** Writes the files into an empty folder. */
  readonly write: (folder: string) => Promise<void>
}

export async function buildFolder({ workspace, built, write }: StaticFolder): Promise<void> {
  // Builds into a temporary folder and then renames it, because a server can serve the old files meanwhile, and another
  // process can build at the same time.
  const folder = mkdtempSync(path.join(workspace, '.build-'))
  try {
    await write(folder)
    rmSync(built, { recursive: true, force: true })
    renameSync(folder, built)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

/** Builds a folder if it is missing or older than its sources. */
export async function buildStaleFolder(folder: StaticFolder): Promise<void> {
  const { name, workspace, built, sources } = folder
  const marker = path.join(built, folder.marker)
  const newest_ms = Math.max(...sources.map((source) => newestIn(path.join(workspace, source))))
  if (existsSync(marker) && statSync(marker).mtimeMs >= newest_ms) return
  await buildFolder(folder)
  console.log(`Built the ${name}.`)
}

/** Returns the modification time of a file, or of the newest file in a folder, in ms. */
function newestIn(place: string): number {
  if (!statSync(place).isDirectory()) return statSync(place).mtimeMs
  const files = readdirSync(place, { recursive: true, withFileTypes: true })
  return Math.max(...files.map(({ parentPath, name }) => statSync(path.join(parentPath, name)).mtimeMs))
}
