import type { ExtractPath, Provider, UsageExtractor } from '@pydantic/genai-prices'
import { USAGE_UNITS } from '../../src/pricing/units.ts'

/**
 * Returns rules that find the usage in the responses of each provider, from @pydantic/genai-prices.
 * `src/pricing/extract/shapes.ts` explains the format of the rules. `apis` maps each provider and API to the index of
 * its shape. Providers with the same response format share one shape.
 */
export function extractionShapes(providers: readonly Provider[]): {
  readonly shapes: string[]
  readonly apis: ReadonlyMap<string, Readonly<Record<string, number>>>
} {
  const shapes: string[] = []
  const apis = new Map<string, Record<string, number>>()
  for (const provider of providers) {
    const ofProvider: Record<string, number> = {}
    for (const extractor of provider.extractors ?? []) {
      const shape = writeShape(extractor)
      const known = shapes.indexOf(shape)
      ofProvider[extractor.api_flavor] = known === -1 ? shapes.push(shape) - 1 : known
    }
    if (Object.keys(ofProvider).length > 0) apis.set(provider.id, ofProvider)
  }
  return { shapes, apis }
}

function writeShape(extractor: UsageExtractor): string {
  const rules = extractor.mappings.map(({ path, dest, required }) => {
    if (!(dest in USAGE_UNITS)) throw new Error(`an extraction rule has the unknown unit ${dest}`)
    return `${writePath(path)}${required ? '!' : ''} > ${dest}`
  })
  return [writePath(extractor.root), writePath(extractor.model_path), ...rules].join('; ')
}

function writePath(path: ExtractPath): string {
  return (Array.isArray(path) ? path : [path])
    .map((step) => {
      if (typeof step === 'string') return step
      if (!('equals' in step.match))
        throw new Error(`the path step ${JSON.stringify(step)} cannot be converted`)
      return `[${step.field}=${step.match.equals}]`
    })
    .join('/')
}
