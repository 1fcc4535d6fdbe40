import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import postgres from 'postgres'

/**
 * A simple meter on PostgreSQL, for comparison with the Worker. `postgres.ts` starts it as a process, whose argument is
 * the folder of the PostgreSQL socket. A burn is one statement, which records the events, skips known idempotency keys,
 * and subtracts the sum from the wallet. Prices are constants.
 */

interface BurnEvent {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly idempotency_key?: string
}

const CONNECTIONS = 20
const KEY = 'postgres-0'

const sql = postgres({
  host: process.argv[2] ?? '',
  database: 'postgres',
  user: 'postgres',
  max: CONNECTIONS,
})

await sql.unsafe(`
  CREATE TABLE api_keys (hash text PRIMARY KEY, customer_id bigint NOT NULL);
  CREATE TABLE wallets (customer_id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
  CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL,
    idempotency_key text NOT NULL,
    credits bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (customer_id, idempotency_key)
  );
  INSERT INTO wallets VALUES (1, 8000000000000000);
`)
const hashOf = (key: string) => createHash('sha256').update(key).digest('hex')
await sql`INSERT INTO api_keys VALUES (${hashOf(KEY)}, 1)`

const customers = new Map<string, number>()

/**
 * Returns the customer id of an API key. Reads each key from the database only once, because the Worker caches keys
 * too.
 */
async function customerOf(request: IncomingMessage): Promise<number> {
  const hash = hashOf((request.headers.authorization ?? '').slice('Bearer '.length))
  const known = customers.get(hash)
  if (known !== undefined) return known
  const [row] = await sql<{ customer_id: string }[]>`SELECT customer_id FROM api_keys WHERE hash = ${hash}`
  if (!row) throw new Error('unknown key')
  customers.set(hash, Number(row.customer_id))
  return Number(row.customer_id)
}

async function burn(customer: number, events: readonly BurnEvent[]): Promise<object> {
  const keys = events.map(({ idempotency_key }) => idempotency_key ?? crypto.randomUUID())
  const credits = events.map(
    ({ input_tokens, output_tokens }) => input_tokens * 5000 + output_tokens * 20_000,
  )
  const [wallet] = await sql<{ balance: string }[]>`
    WITH burned AS (
      INSERT INTO events (customer_id, idempotency_key, credits)
      SELECT ${customer}, key, amount FROM unnest(${keys}::text[], ${credits}::bigint[]) AS new (key, amount)
      ON CONFLICT DO NOTHING
      RETURNING credits
    )
    UPDATE wallets SET balance = balance - (SELECT coalesce(sum(credits), 0) FROM burned)
    WHERE customer_id = ${customer}
    RETURNING balance`
  const balance_after = Number(wallet?.balance)
  return {
    results: keys.map((key, index) => ({ index, key, credits_burned: credits[index], balance_after })),
  }
}

async function answer(request: IncomingMessage): Promise<object> {
  const customer = await customerOf(request)
  if (request.method === 'GET') {
    const [wallet] = await sql<
      { balance: string }[]
    >`SELECT balance FROM wallets WHERE customer_id = ${customer}`
    return { balance: Number(wallet?.balance) }
  }
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body: BurnEvent | { readonly events: readonly BurnEvent[] } = JSON.parse(
    Buffer.concat(chunks).toString(),
  )
  return burn(customer, 'events' in body ? body.events : [body])
}

const server = createServer((request, response) => {
  answer(request).then(
    (body) => {
      const text = JSON.stringify(body)
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      })
      response.end(text)
    },
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address && typeof address === 'object')
    process.send?.({ url: `http://127.0.0.1:${address.port}`, key: KEY })
})
