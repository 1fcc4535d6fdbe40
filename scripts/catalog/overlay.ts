/**
 * What the price packages do not know, kept by hand: names that customers use for providers, service tiers,
 * regions, minimums, and the list prices of providers that neither package carries.
 *
 * Every entry names the page it was read from. To correct a price, change it here and run `npm run catalog`;
 * the build refuses an entry that names a provider or a unit that does not exist.
 *
 * Model rules are those of the catalogue: `=id` exactly, `^start`, `*part`, `$end`, `~regular expression`;
 * `a&b` needs both. No rules means every model of the provider. The first modifier whose tier or region and
 * model fit is the one that counts.
 */

/** Multiplies prices: `factor` is a decimal or a fraction, of token prices unless `families` says otherwise. */
export interface Modifier {
  readonly names: readonly string[]
  readonly factor: string
  readonly models?: readonly string[]
  readonly families?: readonly string[]
}

export interface ProviderOverlay {
  readonly source: readonly string[]
  readonly name?: string
  readonly aliases?: readonly string[]
  readonly tiers?: readonly Modifier[]
  readonly regions?: readonly Modifier[]
  /** The least that one request is billed, by unit and model rule. */
  readonly minimums?: readonly {
    readonly unit: string
    readonly quantity: string
    readonly models: readonly string[]
  }[]
  /** Prices in USD per the unit's `per`: per million tokens, per image, per second of video. */
  readonly models?: readonly {
    readonly id: string
    readonly match?: readonly string[]
    readonly prices: Readonly<Record<string, string>>
  }[]
}

/** Tier names that mean the list price, at every provider. */
export const STANDARD_TIERS = [
  'standard',
  'default',
  'auto',
  'on_demand',
  'ondemand',
  'regular',
  'standard_only',
  'service_tier_standard',
  'not_available',
]

/** When the hand-kept part was last compared with the pages it names. */
export const OVERLAY_DATE = '2026-11-22'

const HALF_BATCH: Modifier = { names: ['batch'], factor: '0.5' }

/** openai.com/api-priority-processing: each is the priority price over the list price, the same for every unit. */
const OPENAI_PRIORITY: readonly Modifier[] = [
  { names: ['priority', 'fast'], factor: '2.5', models: ['=gpt-5.5', '^gpt-5.5-2'] },
  { names: ['priority', 'fast'], factor: '1.8', models: ['^gpt-5-mini'] },
  {
    names: ['priority', 'fast'],
    factor: '2',
    models: [
      '~^gpt-5(\\.[1246])?(-20\\d\\d.*|-codex|-chat-latest)?$',
      '^gpt-5.4-mini',
      '^gpt-5.6-',
      '=gpt-5.6',
      '^gpt-6-',
    ],
  },
  { names: ['priority'], factor: '2', models: ['^gpt-4.1-nano'] },
  {
    names: ['priority'],
    factor: '1.75',
    models: ['^gpt-4.1', '=gpt-4o-2024-05-13', '=o3', '=o3-2025-04-16'],
  },
  { names: ['priority'], factor: '5/3', models: ['=gpt-4o-mini', '=gpt-4o-mini-2024-07-18'] },
  { names: ['priority'], factor: '1.7', models: ['=gpt-4o', '=gpt-4o-2024-08-06', '=gpt-4o-2024-11-20'] },
  { names: ['priority'], factor: '20/11', models: ['=o4-mini', '^o4-mini-2'] },
]

const FLEX_MODELS = ['^gpt-5', '^gpt-6', '=o3', '=o3-2025-04-16', '=o4-mini', '^o4-mini-2']

export const PROVIDERS: Readonly<Record<string, ProviderOverlay>> = {
  openai: {
    source: [
      'https://developers.openai.com/api/docs/pricing',
      'https://openai.com/api-priority-processing/',
      'https://developers.openai.com/api/docs/guides/data-residency',
    ],
    aliases: ['openai-chat', 'openai-responses'],
    tiers: [HALF_BATCH, { names: ['flex'], factor: '0.5', models: FLEX_MODELS }, ...OPENAI_PRIORITY],
    regions: [
      { names: ['global'], factor: '1' },
      {
        // Models released since 2026-03-05 cost a tenth more where data residency is bought.
        names: ['us', 'eu', 'au', 'in', 'jp', 'kr', 'sg', 'ca', 'gb', 'ae'],
        factor: '1.1',
        models: ['^gpt-5.4', '^gpt-5.5', '^gpt-5.6', '^gpt-6'],
      },
    ],
  },
  azure: {
    source: ['https://azure.microsoft.com/pricing/details/azure-openai/'],
    aliases: [
      'azure-openai',
      'azure-ai',
      'azure-ai-inference',
      'az.ai.openai',
      'az.ai.inference',
      'microsoft',
      'foundry',
    ],
    tiers: [HALF_BATCH, ...OPENAI_PRIORITY],
    regions: [
      { names: ['global'], factor: '1' },
      { names: ['datazone', 'data_zone', 'regional'], factor: '1.1' },
    ],
  },
  anthropic: {
    source: [
      'https://platform.claude.com/docs/en/about-claude/pricing',
      'https://platform.claude.com/docs/en/api/service-tiers',
    ],
    tiers: [HALF_BATCH, { names: ['fast'], factor: '6', models: ['^claude-opus-4-6', '^claude-opus-4.6'] }],
    regions: [
      { names: ['global', 'not_available'], factor: '1' },
      {
        // inference_geo "us": from Opus 4.6 on.
        names: ['us'],
        factor: '1.1',
        models: [
          '~^claude-(opus|sonnet|haiku)-4[-.][6-9]',
          '~^claude-(opus|sonnet|haiku|fable|mythos)-[5-9]',
        ],
      },
    ],
  },
  google: {
    source: [
      'https://ai.google.dev/gemini-api/docs/pricing',
      'https://ai.google.dev/gemini-api/docs/optimization',
    ],
    aliases: [
      'gemini',
      'vertex',
      'vertex-ai',
      'vertexai',
      'google-vertex',
      'google-vertex-ai',
      'google-gla',
      'google-gemini',
      'google-ai-studio',
      'google-generative-ai',
      'gcp.gemini',
      'gcp.vertex_ai',
      'gcp.gen_ai',
    ],
    tiers: [
      HALF_BATCH,
      { names: ['flex', 'on_demand_flex'], factor: '0.5', models: ['^gemini-'] },
      { names: ['priority', 'on_demand_priority'], factor: '1.8', models: ['^gemini-2.5', '^gemini-3'] },
    ],
    regions: [
      { names: ['global'], factor: '1' },
      // Claude from 4.5 on costs a tenth more at regional and multi-region endpoints of Vertex.
      {
        names: ['regional', 'us', 'eu'],
        factor: '1.1',
        models: ['~^claude-(opus|sonnet|haiku)-4[-.][5-9]', '~^claude-[a-z]+-[5-9]'],
      },
    ],
  },
  aws: {
    source: ['https://aws.amazon.com/bedrock/pricing/', 'https://aws.amazon.com/bedrock/service-tiers/'],
    aliases: ['amazon', 'bedrock', 'aws-bedrock', 'amazon-bedrock', 'aws.bedrock', 'bedrock-converse'],
    tiers: [
      HALF_BATCH,
      { names: ['flex'], factor: '0.5', models: ['*nova', '*gpt-oss', '*qwen', '*deepseek'] },
      { names: ['priority'], factor: '1.75', models: ['*nova', '*gpt-oss', '*qwen', '*deepseek'] },
    ],
    models: [
      {
        id: 'amazon.nova-canvas-v1:0',
        match: ['*nova-canvas'],
        prices: {
          output_images: '0.04,1024x1024:0.04,premium-1024x1024:0.06,2048x2048:0.06,premium-2048x2048:0.08',
        },
      },
      { id: 'amazon.nova-reel-v1:1', match: ['*nova-reel'], prices: { video_seconds: '0.08' } },
      {
        id: 'amazon.titan-image-generator-v2:0',
        match: ['*titan-image-generator'],
        prices: {
          output_images: '0.01,1024x1024:0.01,premium-1024x1024:0.012,512x512:0.008,premium-512x512:0.01',
        },
      },
    ],
  },
  mistral: {
    source: ['https://mistral.ai/pricing'],
    aliases: ['mistral-ai', 'mistralai'],
    tiers: [HALF_BATCH],
  },
  groq: {
    source: ['https://groq.com/pricing', 'https://console.groq.com/docs/batch'],
    tiers: [
      { names: ['batch'], factor: '0.5', families: ['tokens', 'audio_durations'] },
      { names: ['flex', 'performance'], factor: '1', families: ['tokens', 'audio_durations'] },
    ],
    minimums: [
      { unit: 'audio_seconds', quantity: '10', models: ['=whisper-large-v3', '=whisper-large-v3-turbo'] },
    ],
  },
  'x-ai': {
    source: ['https://docs.x.ai/developers/pricing'],
    aliases: ['xai', 'grok'],
    tiers: [HALF_BATCH, { names: ['priority'], factor: '2' }],
    regions: [
      { names: ['global'], factor: '1' },
      { names: ['us'], factor: '1.1' },
    ],
  },
  together: {
    source: ['https://docs.together.ai/docs/batch-inference'],
    aliases: ['together-ai', 'togetherai'],
    tiers: [HALF_BATCH],
  },
  fireworks: {
    source: ['https://docs.fireworks.ai/guides/batch-inference'],
    aliases: ['fireworks-ai', 'fireworksai'],
    tiers: [HALF_BATCH],
  },
  cloudflare: {
    source: ['https://developers.cloudflare.com/workers-ai/'],
    aliases: ['workers-ai', 'cloudflare-workers-ai'],
  },
  moonshotai: { source: ['https://platform.moonshot.ai'], aliases: ['moonshot', 'kimi'] },
  zhipuai: { source: ['https://open.bigmodel.cn/pricing'], aliases: ['zhipu', 'bigmodel'] },
  zai: { source: ['https://docs.z.ai/guides/overview/pricing'], aliases: ['z.ai', 'z-ai'] },
  'github-copilot': { source: ['https://docs.github.com/copilot'], aliases: ['copilot', 'github'] },
  perplexity: {
    source: ['https://docs.perplexity.ai/getting-started/pricing'],
    aliases: ['perplexity-ai', 'pplx'],
  },
  voyageai: { source: ['https://docs.voyageai.com/docs/pricing'], aliases: ['voyage'] },
  cohere: { source: ['https://cohere.com/pricing'], aliases: ['cohere-ai'] },
  alibaba: {
    source: ['https://www.alibabacloud.com/help/en/model-studio/model-pricing'],
    name: 'Alibaba Cloud Model Studio',
    aliases: ['qwen', 'dashscope', 'alibaba-cloud', 'model-studio'],
    tiers: [HALF_BATCH],
  },
  'black-forest-labs': {
    source: ['https://docs.bfl.ml/quick_start/pricing'],
    name: 'Black Forest Labs',
    aliases: ['bfl', 'flux'],
    models: [
      { id: 'flux-pro-1.1', match: ['=flux-1.1-pro'], prices: { output_images: '0.04' } },
      {
        id: 'flux-pro-1.1-ultra',
        match: ['=flux-1.1-pro-ultra', '=flux-pro-1.1-raw'],
        prices: { output_images: '0.06' },
      },
      { id: 'flux-pro-1.1-ultra-finetuned', prices: { output_images: '0.07' } },
      { id: 'flux-pro', match: ['=flux.1-pro'], prices: { output_images: '0.05' } },
      { id: 'flux-pro-finetuned', prices: { output_images: '0.06' } },
      {
        id: 'flux-pro-1.0-fill',
        match: ['=flux-fill-pro', '=flux-pro-1.0-expand'],
        prices: { output_images: '0.05' },
      },
      { id: 'flux-pro-1.0-fill-finetuned', prices: { output_images: '0.06' } },
      { id: 'flux-dev', match: ['=flux.1-dev'], prices: { output_images: '0.025' } },
      { id: 'flux-kontext-pro', prices: { output_images: '0.04' } },
      { id: 'flux-kontext-max', prices: { output_images: '0.08' } },
    ],
  },
  'stability-ai': {
    source: ['https://platform.stability.ai/pricing'],
    name: 'Stability AI',
    aliases: ['stability', 'stable-diffusion'],
    models: [
      { id: 'stable-image-ultra', match: ['=ultra'], prices: { output_images: '0.08' } },
      { id: 'stable-image-core', match: ['=core'], prices: { output_images: '0.03' } },
      {
        id: 'sd3.5-large',
        match: ['=stable-diffusion-3.5-large', '=sd3-large'],
        prices: { output_images: '0.065' },
      },
      {
        id: 'sd3.5-large-turbo',
        match: ['=stable-diffusion-3.5-large-turbo', '=sd3-large-turbo'],
        prices: { output_images: '0.04' },
      },
      {
        id: 'sd3.5-medium',
        match: ['=stable-diffusion-3.5-medium', '=sd3-medium'],
        prices: { output_images: '0.035' },
      },
      { id: 'sd3.5-flash', match: ['=stable-diffusion-3.5-flash'], prices: { output_images: '0.025' } },
    ],
  },
  runway: {
    source: ['https://docs.dev.runwayml.com/guides/pricing/'],
    name: 'Runway',
    aliases: ['runwayml'],
    models: [
      { id: 'gen4.5', match: ['=gen4_5', '=gen-4.5'], prices: { video_seconds: '0.12' } },
      { id: 'gen4_turbo', match: ['=gen4-turbo', '=gen-4-turbo'], prices: { video_seconds: '0.05' } },
      { id: 'gen4_aleph', match: ['=gen4-aleph', '=gen-4-aleph'], prices: { video_seconds: '0.15' } },
      { id: 'gen3a_turbo', match: ['=gen3a-turbo', '=gen-3-alpha-turbo'], prices: { video_seconds: '0.05' } },
      { id: 'act_two', match: ['=act-two'], prices: { video_seconds: '0.05' } },
      { id: 'gen4_image', match: ['=gen4-image'], prices: { output_images: '0.08,720p:0.05,1080p:0.08' } },
      { id: 'gen4_image_turbo', match: ['=gen4-image-turbo'], prices: { output_images: '0.02' } },
    ],
  },
  replicate: {
    source: ['https://replicate.com/pricing'],
    name: 'Replicate',
    models: [
      { id: 'black-forest-labs/flux-schnell', match: ['=flux-schnell'], prices: { output_images: '0.003' } },
      { id: 'black-forest-labs/flux-dev', match: ['=flux-dev'], prices: { output_images: '0.025' } },
      { id: 'black-forest-labs/flux-1.1-pro', match: ['=flux-1.1-pro'], prices: { output_images: '0.04' } },
      {
        id: 'black-forest-labs/flux-1.1-pro-ultra',
        match: ['=flux-1.1-pro-ultra'],
        prices: { output_images: '0.06' },
      },
      { id: 'black-forest-labs/flux-pro', match: ['=flux-pro'], prices: { output_images: '0.04' } },
      { id: 'ideogram-ai/ideogram-v3-quality', prices: { output_images: '0.09' } },
      { id: 'recraft-ai/recraft-v3', prices: { output_images: '0.04' } },
      { id: 'deepseek-ai/deepseek-r1', prices: { input_tokens: '3.75', output_tokens: '10' } },
      { id: 'anthropic/claude-3.7-sonnet', prices: { input_tokens: '3', output_tokens: '15' } },
    ],
  },
}
