import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { Code, quoted } from '../components/code.tsx'
import { Select } from '../components/form.tsx'
import { Card, Page } from '../components/page.tsx'
import { shownKey } from '../session.ts'

interface Client {
  readonly name: string
  readonly text: (origin: string) => string
}

/**
 * Clients of docs/gateway.md, each with sample code. The code reads the API key from an environment variable, so
 * that it does not contain the key.
 */
const CLIENTS: readonly Client[] = [
  {
    name: 'OpenAI (TypeScript)',
    text: (origin) => `const openai = new OpenAI({
  apiKey: process.env.OPENMONETIZE_API_KEY,
  baseURL: '${origin}/gateway/openai/v1',
})`,
  },
  {
    name: 'OpenAI (Python)',
    text: (origin) => `client = OpenAI(
    api_key=os.environ["OPENMONETIZE_API_KEY"],
    base_url="${origin}/gateway/openai/v1",
)`,
  },
  {
    name: 'Anthropic (TypeScript)',
    text: (origin) => `const anthropic = new Anthropic({
  apiKey: process.env.OPENMONETIZE_API_KEY,
  baseURL: '${origin}/gateway/anthropic',
})`,
  },
  {
    name: 'Anthropic (Python)',
    text: (origin) => `client = Anthropic(
    api_key=os.environ["OPENMONETIZE_API_KEY"],
    base_url="${origin}/gateway/anthropic",
)`,
  },
  {
    name: 'Gemini (TypeScript)',
    text: (origin) => `const ai = new GoogleGenAI({
  apiKey: process.env.OPENMONETIZE_API_KEY,
  httpOptions: { baseUrl: '${origin}/gateway/google' },
})`,
  },
  {
    name: 'Vercel AI SDK',
    text: (origin) => `const openai = createOpenAI({
  apiKey: process.env.OPENMONETIZE_API_KEY,
  baseURL: '${origin}/gateway/openai/v1',
})`,
  },
  {
    name: 'Claude Code',
    text: (origin) => `export ANTHROPIC_BASE_URL=${origin}/gateway/anthropic
export ANTHROPIC_API_KEY=$OPENMONETIZE_API_KEY
export ANTHROPIC_CUSTOM_HEADERS="X-Meter-User: $USER"`,
  },
  {
    name: 'curl',
    text: (origin) => `curl -N ${origin}/gateway/openai/v1/chat/completions \\
  -H "Authorization: Bearer $OPENMONETIZE_API_KEY" \\
  -H 'Content-Type: application/json' -H 'X-Meter-Trailer: true' \\
  -d '{"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'`,
  },
]

export default function Gateway(): VNode {
  const [chosen, setChosen] = useState(CLIENTS[0]?.name ?? '')
  const client = CLIENTS.find(({ name }) => name === chosen)
  const { origin } = location
  return (
    <Page
      title="Gateway"
      lead="One base URL for your AI clients. The gateway reserves credits for each call and charges its usage."
    >
      <Card title="1. Put the API key into the environment">
        <Code label="The environment" text={`export OPENMONETIZE_API_KEY=${quoted(shownKey())}`} />
        <p class="quiet">
          The key requires the scope <code>gateway:use</code>.
        </p>
      </Card>
      <Card title="2. Store the key of your AI provider, once">
        <Code
          label="The command that stores a provider key"
          text={`curl ${origin}/v1/provider-keys \\
  -H "Authorization: Bearer $OPENMONETIZE_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d "{\\"name\\":\\"main\\",\\"provider\\":\\"OPENAI\\",\\"key\\":\\"$OPENAI_API_KEY\\"}"`}
        />
        <p class="quiet">
          The meter stores the key encrypted. You can also send it with each call, as{' '}
          <code>X-Provider-Key</code>.
        </p>
      </Card>
      <Card title="3. Change the base URL of your client">
        <Select
          label="Client"
          name="client"
          value={chosen}
          options={CLIENTS.map(({ name }) => [name, name] as const)}
          onValue={setChosen}
        />
        {client && <Code label={client.name} text={client.text(origin)} />}
        <p class="quiet">
          <code>X-Meter-User</code> names the user whose wallet pays, and <code>X-Meter-Feature</code> the
          feature. The page Events shows each event some seconds later.
        </p>
      </Card>
    </Page>
  )
}
