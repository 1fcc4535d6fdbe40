/**
 * `npm run db:seed [URL]`: gives the demo customer and its development key to the local server: the one that runs at
 * URL (http://127.0.0.1:8787), or one that it starts for the purpose. Refuses anything remote.
 */
import { refuseRemote, seedDemoCustomer } from './demo-customer.ts'
import { freePort, isAnswering, startServer } from './local-server.ts'
import { setUp } from './local-setup.ts'

async function main(): Promise<void> {
  const [url = `http://127.0.0.1:${process.env.PORT ?? 8787}`, ...rest] = process.argv.slice(2)
  if (url.startsWith('-') || rest.length > 0) {
    throw new Error('usage: npm run db:seed [http://127.0.0.1:8787]. Only a local database can be seeded.')
  }
  refuseRemote(url)
  await setUp()
  if (await isAnswering(url, 0)) return seedDemoCustomer(url)
  const server = await startServer(await freePort())
  try {
    await seedDemoCustomer(server.url)
  } finally {
    await server.stop()
  }
}

main().then(
  () => console.log('The demo customer is there.'),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
