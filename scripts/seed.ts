/**
 * `npm run db:seed [URL]`: creates the demo customer and its development key in the local state directory. Uses the
 * local server that is running, or starts a server for this purpose. Refuses to seed a remote server.
 */
import { refuseRemote, seedDemoCustomer } from './demo-customer.ts'
import { freePort, localUrl, startServer } from './local-server.ts'
import { setUp } from './local-setup.ts'
import { holdState, runningServer, STATE } from './local-state.ts'

async function main(): Promise<void> {
  const [url, ...rest] = process.argv.slice(2)
  if (url?.startsWith('-') || rest.length > 0) {
    throw new Error('usage: npm run db:seed [http://127.0.0.1:8787]. Only a local database can be seeded.')
  }
  if (url !== undefined) refuseRemote(url)
  const running = runningServer()
  // The key is written into this state directory, so a server with another state directory would not accept it.
  if (url !== undefined && !(running !== undefined && isSameAddress(url, running))) {
    throw new Error(
      `No server at ${url} uses the state in ${STATE}. ${running === undefined ? 'Omit the URL' : `Use ${running}, or omit the URL`}.`,
    )
  }
  if (running !== undefined) return seedDemoCustomer(running)
  const port = await freePort()
  holdState(localUrl(port))
  await setUp()
  const server = await startServer(port)
  try {
    await seedDemoCustomer(server.url)
  } finally {
    await server.stop()
  }
}

function isSameAddress(one: string, other: string): boolean {
  return new URL(one).port === new URL(other).port
}

main().then(
  () => console.log('The demo customer and its development key exist.'),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
