import type { OverlayModel } from './overlay-types.ts'

/**
 * The manually maintained models of the overlay: models whose prices have changed over time, and models that no other
 * source has.
 */

/**
 * Returns the price periods of a DeepSeek model with peak prices, from a given time on. Peak prices apply in the peak
 * hours in Beijing: every day until 2026-08-23, and since then from Monday to Friday.
 */
function peakPeriods(
  from: string,
  offPeak: Readonly<Record<string, string>>,
  peak: Readonly<Record<string, string>>,
): NonNullable<OverlayModel['periods']>[number][] {
  const hours = ['01:00:00-04:00:00', '06:00:00-10:00:00']
  const early =
    from < '2026-08-23' ? hours.map((time) => ({ when: `${from},..2026-08-23,${time}`, prices: peak })) : []
  const since = from < '2026-08-23' ? '2026-08-23' : from
  return [
    { when: from, prices: offPeak },
    ...early,
    ...hours.map((time) => ({ when: `${since},mon-fri,${time}`, prices: peak })),
  ]
}

const flash41 = {
  offPeak: { input_tokens: '0.15', cache_read_tokens: '0.003', output_tokens: '0.6' },
  peak: { input_tokens: '0.3', cache_read_tokens: '0.006', output_tokens: '1.2' },
}
const flash4 = { input_tokens: '0.14', cache_read_tokens: '0.0028', output_tokens: '0.28' }

/** The time from which DeepSeek charges peak prices: midnight in Beijing, written in UTC. */
const PEAK_BILLING = '2026-08-16T16:00'
const V4_1_FLASH = '2026-09-09T16:00'

/**
 * Returns the price periods of an alias that once named V3 or R1. `day` and `night` are its first prices, which differ
 * by time of day until the first period of `v3`. `v3` has the later periods. Since the release of V4, the alias has
 * meant V4 Flash.
 */
const formerAlias = (
  day: Readonly<Record<string, string>>,
  night: Readonly<Record<string, string>>,
  v3: NonNullable<OverlayModel['periods']>,
): NonNullable<OverlayModel['periods']> => [
  { prices: day },
  { when: '2025-02-26,16:30:00-00:30:00', prices: night },
  ...v3,
  { when: '2026-04-24', prices: flash4 },
]

const v31 = { input_tokens: '0.56', cache_read_tokens: '0.07', output_tokens: '1.68' }
const v32 = { input_tokens: '0.28', cache_read_tokens: '0.028', output_tokens: '0.42' }

export const DEEPSEEK: readonly OverlayModel[] = [
  {
    id: 'deepseek-chat',
    source: 'https://api-docs.deepseek.com/news, promptfoo/promptfoo#5787, BerriAI/litellm#29345',
    periods: formerAlias(
      { input_tokens: '0.27', cache_read_tokens: '0.07', output_tokens: '1.1' },
      { input_tokens: '0.135', cache_read_tokens: '0.035', output_tokens: '0.55' },
      [
        { when: '2025-09-05T16:00', prices: v31 },
        { when: '2025-09-29', prices: v32 },
      ],
    ),
  },
  {
    id: 'deepseek-reasoner',
    source: 'https://api-docs.deepseek.com/news',
    periods: formerAlias(
      { input_tokens: '0.55', cache_read_tokens: '0.14', output_tokens: '2.19' },
      { input_tokens: '0.135', cache_read_tokens: '0.035', output_tokens: '0.55' },
      // The real price fell on 2025-09-29, like the price of deepseek-chat. The overlay lowers it from 2025-12-01 on,
      // so that earlier recorded events keep the price of the first source.
      [{ when: '2025-12-01', prices: v32 }],
    ),
  },
  {
    id: 'deepseek-v4-pro',
    source:
      'https://docs.apiyi.com/en/live/2026-08/deepseek-price-peak-tier.md, nesquikm/mcp-rubber-duck#148',
    periods: [
      { prices: { input_tokens: '0.435', cache_read_tokens: '0.003625', output_tokens: '0.87' } },
      ...peakPeriods(
        PEAK_BILLING,
        { input_tokens: '0.66', cache_read_tokens: '0.022', output_tokens: '1.98' },
        { input_tokens: '1.32', cache_read_tokens: '0.044', output_tokens: '3.96' },
      ),
    ],
  },
  {
    id: 'deepseek-v4-flash',
    // Since the release of V4.1 Flash, DeepSeek has served and billed this id and the vision experiment as V4.1 Flash.
    match: ['=deepseek-v4-flash-vision-exp'],
    source: 'BerriAI/litellm#37255, https://github.com/dshworks/dsh-meter/releases/tag/v0.5.0',
    periods: [
      { prices: flash4 },
      ...peakPeriods(
        PEAK_BILLING,
        { input_tokens: '0.22', cache_read_tokens: '0.007', output_tokens: '0.66' },
        { input_tokens: '0.44', cache_read_tokens: '0.014', output_tokens: '1.32' },
      ),
      ...peakPeriods(V4_1_FLASH, flash41.offPeak, flash41.peak),
    ],
  },
  {
    id: 'deepseek-v4.1-flash',
    match: ['=deepseek-flash', '=deepseek-v4.1-flash-1017'],
    source: 'BerriAI/litellm#37255, https://github.com/dshworks/dsh-meter/releases/tag/v0.5.0',
    periods: [{ prices: flash41.offPeak }, ...peakPeriods(V4_1_FLASH, flash41.offPeak, flash41.peak)],
  },
]

/** The aliases of Mistral, with the prices of the models that they have named over time. */
export const MISTRAL: readonly OverlayModel[] = [
  {
    id: 'mistral-small-latest',
    source: 'promptfoo/promptfoo#9929: Mistral Small 4 (mistral-small-2603) since March 2026',
    periods: [
      { prices: { input_tokens: '0.1', output_tokens: '0.3' } },
      {
        when: '2026-03-16',
        prices: { input_tokens: '0.15', cache_read_tokens: '0.015', output_tokens: '0.6' },
      },
    ],
  },
  {
    id: 'mistral-large-latest',
    source: 'simonw/llm-prices#63: Mistral Large 3 since 2025-12-02; Large 4 by the lists of 2026-11-20',
    periods: [
      { prices: { input_tokens: '2', output_tokens: '6' } },
      {
        when: '2025-12-02',
        prices: { input_tokens: '0.5', cache_read_tokens: '0.05', output_tokens: '1.5' },
      },
      {
        when: '2026-11-20',
        prices: { input_tokens: '0.7', cache_read_tokens: '0.07', output_tokens: '2.1' },
      },
    ],
  },
  {
    id: 'magistral-small-latest',
    source: 'promptfoo/promptfoo#9929: part of Mistral Small 4, verified on 2026-07-01',
    periods: [
      { prices: { input_tokens: '0.5', output_tokens: '1.5' } },
      {
        when: '2026-07-01',
        prices: { input_tokens: '0.15', cache_read_tokens: '0.015', output_tokens: '0.6' },
      },
    ],
  },
  {
    id: 'ministral-3b-latest',
    source: 'simonw/llm-prices#63: Ministral 3 since 2025-12-02',
    periods: [
      { prices: { input_tokens: '0.04', output_tokens: '0.04' } },
      {
        when: '2025-12-02',
        prices: { input_tokens: '0.1', cache_read_tokens: '0.01', output_tokens: '0.1' },
      },
    ],
  },
  {
    id: 'mistral-medium-latest',
    match: ['=mistral-medium'],
    source:
      'promptfoo/promptfoo#9929: Medium 3.5 since it replaced 3 and 3.1, as @pydantic/genai-prices dates it',
    periods: [
      { prices: { input_tokens: '0.4', cache_read_tokens: '0.04', output_tokens: '2' } },
      {
        when: '2026-06-16',
        prices: { input_tokens: '1.5', cache_read_tokens: '0.15', output_tokens: '7.5' },
      },
    ],
  },
]

/** Returns the overlay model for the fine-tuned models of one base model. */
const fineTuned = (
  id: string,
  input: string,
  cached: string | undefined,
  output: string,
  match: readonly string[] = [],
): OverlayModel => ({
  id,
  match,
  source: 'https://openai.com/api/pricing (fine-tuning), BerriAI/litellm#20411, langchain-ai/langchain#29248',
  prices: {
    input_tokens: input,
    ...(cached === undefined ? {} : { cache_read_tokens: cached }),
    output_tokens: output,
  },
})

export const OPENAI_FINE_TUNED: readonly OverlayModel[] = [
  fineTuned('ft:gpt-4.1', '3', '0.75', '12'),
  fineTuned('ft:gpt-4.1-mini', '0.8', '0.2', '3.2'),
  fineTuned('ft:gpt-4.1-nano', '0.2', '0.05', '0.8'),
  fineTuned('ft:gpt-4o', '3.75', '1.875', '15'),
  fineTuned('ft:gpt-4o-mini', '0.3', '0.15', '1.2'),
  fineTuned('ft:o4-mini', '4', '1', '16'),
  fineTuned('ft:gpt-3.5-turbo', '3', undefined, '6'),
  fineTuned('ft:davinci-002', '12', undefined, '12'),
  fineTuned('ft:babbage-002', '1.6', undefined, '1.6'),
]

const reranker = (id: string, match: readonly string[] = []): OverlayModel => ({
  id,
  match,
  source: 'https://cohere.com/pricing, maximhq/bifrost#4239',
  prices: { rerank_searches: '2' },
})

/**
 * The reranking models by provider. Cohere bills them by search (a query and up to 100 documents), and Voyage bills
 * them by token.
 */
export const RERANKERS = {
  cohere: [
    reranker('rerank-v3.5'),
    reranker('rerank-english-v3.0'),
    reranker('rerank-multilingual-v3.0'),
    reranker('rerank-english-v2.0'),
    reranker('rerank-multilingual-v2.0'),
  ],
  voyageai: [
    ['rerank-2.5', '0.05'],
    ['rerank-2.5-lite', '0.02'],
    ['rerank-2', '0.05'],
    ['rerank-2-lite', '0.02'],
    ['rerank-1', '0.05'],
    ['rerank-lite-1', '0.02'],
  ].map(
    ([id = '', price = '']): OverlayModel => ({
      id,
      source: 'https://docs.voyageai.com/docs/pricing, metadist/synaplan#1778',
      prices: { input_tokens: price },
    }),
  ),
} satisfies Readonly<Record<string, readonly OverlayModel[]>>
