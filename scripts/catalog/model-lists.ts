import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decimal, type Model, type Prices } from './notation.ts'

/**
 * The folder of the price lists in @earendil-works/pi-ai, which have the newest token prices. The package collects them
 * from models.dev, OpenRouter and the providers. Each model has only its current prices, without history. `weigh.ts`
 * compares these prices with the first source and chooses between them.
 */
const DATA = join(dirname(fileURLToPath(import.meta.resolve('@earendil-works/pi-ai'))), 'providers/data')

/** The ids of providers in the catalogue, by their names in pi-ai. Several names can mean one provider. */
const PROVIDERS: Readonly<Record<string, string>> = {
  'amazon-bedrock': 'aws',
  'ant-ling': 'ant-ling',
  anthropic: 'anthropic',
  azure: 'azure',
  baseten: 'baseten',
  cerebras: 'cerebras',
  'cloudflare-workers-ai': 'cloudflare',
  deepseek: 'deepseek',
  fireworks: 'fireworks',
  'github-copilot': 'github-copilot',
  google: 'google',
  'google-vertex': 'google',
  groq: 'groq',
  huggingface: 'huggingface',
  meta: 'meta',
  minimax: 'minimax',
  mistral: 'mistral',
  moonshotai: 'moonshotai',
  openai: 'openai',
  opencode: 'opencode',
  openrouter: 'openrouter',
  together: 'together',
  typesafe: 'typesafe',
  'vercel-ai-gateway': 'vercel-ai-gateway',
  xai: 'x-ai',
  xiaomi: 'xiaomi',
  zai: 'zai',
}

/**
 * The lists of pi-ai that are left out: subscriptions, whose calls have no price; lists in other currencies; a list of
 * test endpoints; and a gateway that charges the price of the upstream provider.
 */
const LEFT_OUT = new Set([
  'cloudflare-ai-gateway',
  'kimi-coding',
  'minimax-cn',
  'moonshotai-cn',
  'nvidia',
  'openai-codex',
  'opencode-go',
  'qwen-token-plan',
  'qwen-token-plan-cn',
  'qwen-token-plan-individual',
  'qwen-token-plan-individual-cn',
  'radius',
  'xiaomi-token-plan-ams',
  'xiaomi-token-plan-cn',
  'xiaomi-token-plan-sgp',
  'zai-coding-cn',
])

interface Cost {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly tiers?: readonly ({ readonly inputTokensAbove: number } & Omit<Cost, 'tiers'>)[]
}

interface ListedModel {
  readonly id: string
  readonly contextWindow?: number
  readonly cost?: Cost
}

/** Returns the listed models by the provider's id in the catalogue. Each model matches only exact names. */
export async function listedModels(): Promise<Map<string, Model[]>> {
  const byProvider = new Map<string, Model[]>()
  const files = (await readdir(DATA)).filter((file) => /^[^.].*\.json$/.test(file)).sort()
  for (const file of files) {
    const name = file.slice(0, -'.json'.length)
    const id = PROVIDERS[name]
    if (id === undefined && !LEFT_OUT.has(name))
      throw new Error(`pi-ai has a new provider: ${name}. Add it to PROVIDERS or LEFT_OUT.`)
    if (id === undefined) continue
    const models = byProvider.get(id) ?? []
    const known = new Set(models.map((model) => model.id.toLowerCase()))
    for (const model of await readModels(file)) {
      const converted = convert(id, model)
      if (converted === undefined || known.has(model.id.toLowerCase())) continue
      known.add(model.id.toLowerCase())
      models.push(converted)
    }
    byProvider.set(id, models)
  }
  return byProvider
}

/** Returns the date of the lists, such as `2026-11-20`. */
export async function listDate(): Promise<string> {
  const manifest: { readonly generatedAt: string } = JSON.parse(
    await readFile(join(DATA, '.manifest.json'), 'utf8'),
  )
  return manifest.generatedAt.slice(0, 10)
}

async function readModels(file: string): Promise<ListedModel[]> {
  const apis: Readonly<Record<string, Readonly<Record<string, ListedModel>>>> = JSON.parse(
    await readFile(join(DATA, file), 'utf8'),
  )
  return Object.values(apis).flatMap((models) => Object.values(models))
}

/**
 * Converts a model of a list. Returns undefined for a model without a price or with whitespace in its id. An input
 * price of zero or less means an unknown price, unless the id ends with ":free".
 */
function convert(provider: string, { id, contextWindow, cost }: ListedModel): Model | undefined {
  if (cost === undefined || /\s/.test(id)) return undefined
  if (cost.input <= 0 && !id.endsWith(':free')) return undefined
  const short = provider === 'fireworks' ? /^accounts\/fireworks\/models\/(.+)$/.exec(id)?.[1] : undefined
  return {
    id,
    match: [`=${id.toLowerCase()}`, ...(short === undefined ? [] : [`=${short.toLowerCase()}`])],
    ...(contextWindow === undefined ? {} : { context: contextWindow }),
    source: 'l',
    periods: [{ prices: pricesOf(id, cost) }],
  }
}

function pricesOf(id: string, cost: Cost): Prices {
  const prices: Prices = new Map()
  const add = (unit: string, field: 'input' | 'output' | 'cacheRead' | 'cacheWrite') => {
    const tiers = (cost.tiers ?? [])
      .toSorted((a, b) => a.inputTokensAbove - b.inputTokensAbove)
      .map((tier) => `,>${tier.inputTokensAbove}:${decimal(tier[field])}`)
    prices.set(unit, `${decimal(cost[field])}${tiers.join('')}`)
  }
  add('input_tokens', 'input')
  if (cost.cacheRead > 0 && cost.cacheRead !== cost.input) add('cache_read_tokens', 'cacheRead')
  // For Gemini models, this field has the price of cache storage, not a price per written token.
  if (cost.cacheWrite > 0 && cost.cacheWrite !== cost.input && !/gemini|^~google/.test(id))
    add('cache_write_tokens', 'cacheWrite')
  add('output_tokens', 'output')
  return prices
}
