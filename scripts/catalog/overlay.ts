/**
 * The overlay, which is the manually maintained part of the catalogue. For example, it has other names of providers,
 * service tiers, regions, minimum quantities, corrections of the packages' prices, and list prices that no package has.
 *
 * Every entry names its source: a web page, or a report as `owner/repository#number`. To correct a price, change it
 * here and run `npm run catalog`. The build refuses a unit that does not exist, and an additional name, a rule or an
 * amendment for a model that does not exist. It also refuses a provider that has no name in any source.
 *
 * Model rules have the notation of the catalogue: `=name` (exact name), `^start`, `*part`, `$end`, `~regular
 * expression`. `a&b` matches if both rules match. In tiers and regions, the rules select the models to which a modifier
 * applies. A modifier without rules applies to every model of the provider. If several modifiers match, only the first
 * of them applies.
 */

import { DEEPSEEK, MISTRAL, OPENAI_FINE_TUNED, RERANKERS } from './overlay-models.ts'
import type { Modifier, ProviderOverlay } from './overlay-types.ts'

/** The names of service tiers that mean the list price at every provider. */
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

/** The day on which the overlay was last compared with its sources. */
export const OVERLAY_DATE = '2026-11-28'

/**
 * The date from which the corrected audio prices apply. Before this date, audio tokens were charged at the price of
 * text tokens. Those charges are not corrected.
 */
const AUDIO_CORRECTED = '2026-01-01'

/**
 * Returns the prices of a second of video by resolution. Repeats each price for all names of the resolution that
 * callers use.
 */
const VIDEO_SIZES = (hd: string, full: string, ultra?: string): string =>
  [
    ...['720p', '1280x720', '720x1280'].map((size) => `${size}:${hd}`),
    ...['1080p', '1920x1080', '1080x1920'].map((size) => `${size}:${full}`),
    ...(ultra === undefined
      ? []
      : ['4k', '2160p', '3840x2160', '2160x3840'].map((size) => `${size}:${ultra}`)),
  ].join(',')

const HALF_BATCH: Modifier = { names: ['batch'], factor: '0.5' }

/**
 * Returns the batch modifier for models that generate images as tokens. It halves the prices of tokens and also the
 * prices per image.
 */
const halfBatchOfImages = (models: readonly string[]): Modifier => ({
  names: ['batch'],
  factor: '0.5',
  models,
  families: ['tokens', 'output_images'],
})

/**
 * The modifiers for OpenAI's priority tier. Each factor is the priority price divided by the list price. This ratio is
 * the same for all units of a model (openai.com/api-priority-processing).
 */
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
    models: OPENAI_FINE_TUNED,
    names: {
      moderation: [
        'omni-moderation-latest',
        'omni-moderation-2024-09-26',
        'text-moderation-latest',
        'text-moderation-stable',
        'text-moderation-007',
      ],
    },
    amendments: [
      {
        models: ['gpt-4o-audio-preview'],
        from: AUDIO_CORRECTED,
        source: 'https://github.com/comet-ml/opik/issues/7137, openai.com/api/pricing of December 2024',
        prices: { input_audio_tokens: '40', output_audio_tokens: '80' },
      },
      {
        models: ['gpt-4o-mini-audio-preview'],
        from: AUDIO_CORRECTED,
        source: 'https://platform.openai.com/docs/models/gpt-4o-mini-audio-preview',
        prices: { input_audio_tokens: '10', output_audio_tokens: '20' },
      },
      {
        // The Images API reports only a total of output tokens, which are charged as image tokens. If a response also
        // reports text tokens, these have their own price.
        models: ['gpt-image-1.5', 'chatgpt-image-latest'],
        source: 'https://github.com/BerriAI/litellm/issues/31142, https://openai.com/api/pricing',
        prices: {
          output_tokens: '32',
          output_image_tokens: '32',
          output_text_tokens: '10',
          output_reasoning_tokens: '10',
        },
      },
      {
        models: ['sora-2-pro'],
        source: 'https://openai.com/api/pricing, https://github.com/QuantumNous/new-api/issues/2006',
        prices: {
          video_seconds:
            '0.3,720p:0.3,1280x720:0.3,720x1280:0.3,1024p:0.5,1792x1024:0.5,1024x1792:0.5,1080p:0.7,1920x1080:0.7,1080x1920:0.7',
        },
      },
      {
        models: ['sora-2'],
        source: 'https://openai.com/api/pricing',
        prices: { video_seconds: '0.1,720p:0.1,1280x720:0.1,720x1280:0.1' },
      },
      {
        models: ['gpt-6.1-sol', 'gpt-6.1-terra', 'gpt-6.2-astra', 'gpt-6.2-sol'],
        source: 'https://developers.openai.com/api/docs/pricing#built-in-tools',
        prices: { web_searches: '10', storage_searches: '2.5' },
      },
    ],
    tiers: [
      halfBatchOfImages(['^gpt-image', '^chatgpt-image']),
      HALF_BATCH,
      { names: ['flex'], factor: '0.5', models: FLEX_MODELS },
      ...OPENAI_PRIORITY,
    ],
    regions: [
      { names: ['global'], factor: '1' },
      {
        // Models that OpenAI has released since 2026-03-05 cost 10 % more with data residency.
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
    // Azure sells the models of these makers at the makers' prices. DeepSeek is not in this list, because Azure has
    // its own prices for the models of DeepSeek.
    fallback: ['openai', 'anthropic', 'x-ai', 'moonshotai'],
    regions: [
      { names: ['global'], factor: '1' },
      { names: ['datazone', 'data_zone', 'regional'], factor: '1.1' },
    ],
  },
  anthropic: {
    source: [
      'https://platform.claude.com/docs/en/about-claude/pricing',
      'https://platform.claude.com/docs/en/api/service-tiers',
      'https://platform.claude.com/docs/en/build-with-claude/fast-mode',
    ],
    tiers: [
      HALF_BATCH,
      // Fast mode multiplies every token price, including the cache prices. Opus 4.6 had fast mode until 2026-06-29,
      // and Opus 4.7 until 2026-07-24.
      {
        names: ['fast'],
        factor: '6',
        models: ['^claude-opus-4-6', '^claude-opus-4.6'],
        when: '..2026-06-30',
      },
      {
        names: ['fast'],
        factor: '6',
        models: ['^claude-opus-4-7', '^claude-opus-4.7'],
        when: '..2026-07-25',
      },
      {
        names: ['fast'],
        factor: '2',
        models: ['~^claude-opus-4[-.]8(?![-.]?\\d(?!\\d))', '~^claude-opus-5(?![-.]?[0-46-9](?!\\d))'],
      },
    ],
    amendments: [
      {
        models: ['claude-fable-5-2', 'claude-haiku-5-5', 'claude-sonnet-5-5'],
        source: 'https://platform.claude.com/docs/en/about-claude/pricing#web-search-tool',
        prices: { web_searches: '10' },
      },
    ],
    regions: [
      { names: ['global', 'not_available'], factor: '1' },
      {
        // Requests with `inference_geo: "us"` cost 10 % more, for Opus 4.6 and newer models.
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
      halfBatchOfImages(['^gemini-']),
      HALF_BATCH,
      { names: ['flex', 'on_demand_flex'], factor: '0.5', models: ['^gemini-'] },
      { names: ['priority', 'on_demand_priority'], factor: '1.8', models: ['^gemini-2.5', '^gemini-3'] },
    ],
    names: {
      'gemini-3.1-pro-preview': ['gemini-3.1-pro-preview-customtools'],
      'gemini-2.5-pro': ['gemini-2.5-pro-preview', 'gemini-2.5-pro-exp'],
      'gemini-2.5-flash-lite': ['gemini-2.5-flash-lite-preview'],
    },
    amendments: [
      {
        models: [
          'gemini-4-argon',
          'gemini-4-carbon',
          'gemini-4-hydrogen',
          'gemini-4-neon',
          'gemini-flash-latest',
          'gemini-flash-lite-latest',
          'gemini-pro-latest',
        ],
        source: 'https://github.com/iyulab/TokenMeter/releases/tag/v0.14.0: Gemini 3 and newer',
        prices: { web_searches: '14', map_searches: '14' },
      },
      {
        models: ['veo-3.1-generate-001', 'veo-3.1-generate-preview'],
        source: 'https://ai.google.dev/gemini-api/docs/pricing#veo-3.1',
        prices: { video_seconds: `0.4,${VIDEO_SIZES('0.4', '0.4', '0.6')}` },
      },
      {
        models: ['veo-3.1-fast-generate-001', 'veo-3.1-fast-generate-preview'],
        source: 'https://ai.google.dev/gemini-api/docs/pricing#veo-3.1',
        prices: { video_seconds: `0.1,${VIDEO_SIZES('0.1', '0.12', '0.3')}` },
      },
      {
        models: ['veo-3.1-lite-generate-preview'],
        source: 'https://ai.google.dev/gemini-api/docs/pricing#veo-3.1',
        prices: { video_seconds: `0.05,${VIDEO_SIZES('0.05', '0.08')}` },
      },
    ],
    regions: [
      { names: ['global'], factor: '1' },
      // Claude 4.5 and newer models cost 10 % more at the regional and multi-region endpoints of Vertex.
      {
        names: ['regional', 'us', 'eu'],
        factor: '1.1',
        models: ['~^claude-(opus|sonnet|haiku)-4[-.][5-9]', '~^claude-[a-z]+-[5-9]'],
      },
    ],
  },
  aws: {
    source: ['https://aws.amazon.com/bedrock/pricing/', 'https://aws.amazon.com/bedrock/service-tiers/'],
    rules: {
      // The rules of the source would also match the names for other regions, which have separate price lists.
      'amazon.nova-lite-v1:0': ['^amazon.nova-lite', '^us.amazon.nova-lite'],
      'amazon.nova-micro-v1:0': ['^amazon.nova-micro', '^us.amazon.nova-micro'],
      'amazon.nova-pro-v1:0': ['^amazon.nova-pro', '^us.amazon.nova-pro'],
      'regional.amazon.nova-2-lite-v1:0': ['^amazon.nova-2-lite', '^us.amazon.nova-2-lite'],
      'openai.gpt-oss-120b-1:0': ['^openai.gpt-oss-120b-1', '^us.openai.gpt-oss-120b-1'],
      'openai.gpt-oss-20b-1:0': ['^openai.gpt-oss-20b-1', '^us.openai.gpt-oss-20b-1'],
    },
    profiles: [
      ['us-gov', 'us-gov-.*'],
      ['us', 'us-.*'],
      ['eu', 'eu-.*'],
      ['jp', 'ap-northeast-[13]'],
      ['au', 'ap-southeast-[246]'],
      ['in', 'ap-south-[12]'],
      ['apac', 'ap-.*'],
      ['ca', 'ca-.*'],
    ],
    regions: [{ names: ['us-east-1', 'us-east-2', 'us-west-2', 'global'], factor: '1' }],
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
      // Bedrock bills the rerank models by query (aws.amazon.com/bedrock/pricing).
      { id: 'cohere.rerank-v3-5:0', prices: { rerank_searches: '2' } },
      { id: 'amazon.rerank-v1:0', prices: { rerank_searches: '1' } },
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
    tiers: [{ names: ['batch'], factor: '0.5', families: ['tokens', 'document_pages', 'audio_durations'] }],
    models: MISTRAL,
    rules: {
      'magistral-small': ['=magistral-small-2506', '=magistral-small-2507', '=magistral-small-2509'],
    },
  },
  groq: {
    source: ['https://groq.com/pricing', 'https://console.groq.com/docs/batch'],
    models: [
      {
        id: 'openai/gpt-oss-safeguard-20b',
        source: 'https://github.com/pydantic/genai-prices/issues/701',
        prices: { input_tokens: '0.075', cache_read_tokens: '0.0375', output_tokens: '0.3' },
      },
    ],
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
    // The price of a request depends on its search context size. A request without a size has the highest price, as in
    // the sources.
    amendments: [
      {
        models: ['sonar', 'sonar-reasoning'],
        source: 'https://docs.perplexity.ai/getting-started/pricing',
        prices: { requests: '12,low:5,medium:8,high:12' },
      },
      {
        models: ['sonar-pro', 'sonar-reasoning-pro'],
        source: 'https://docs.perplexity.ai/getting-started/pricing',
        prices: { requests: '14,low:6,medium:10,high:14' },
      },
    ],
  },
  voyageai: {
    source: ['https://docs.voyageai.com/docs/pricing'],
    aliases: ['voyage'],
    models: RERANKERS.voyageai,
  },
  'ant-ling': { source: ['https://models.dev'], name: 'Ant Ling', aliases: ['ling'] },
  huggingface: {
    source: ['https://huggingface.co/docs/inference-providers/pricing'],
    name: 'Hugging Face',
    aliases: ['hf'],
  },
  meta: { source: ['https://models.dev'], name: 'Meta', aliases: ['meta-llama', 'llama-api'] },
  opencode: { source: ['https://opencode.ai/docs/zen'], name: 'OpenCode Zen', aliases: ['zen'] },
  'vercel-ai-gateway': {
    source: ['https://vercel.com/docs/ai-gateway/pricing'],
    name: 'Vercel AI Gateway',
    aliases: ['vercel', 'ai-gateway'],
  },
  xiaomi: { source: ['https://models.dev'], name: 'Xiaomi', aliases: ['mimo'] },
  cohere: { source: ['https://cohere.com/pricing'], aliases: ['cohere-ai'], models: RERANKERS.cohere },
  deepseek: {
    source: ['https://api-docs.deepseek.com/quick_start/pricing'],
    models: DEEPSEEK,
    names: { 'deepseek-reasoner': ['deepseek-r1-distill-llama-70b'] },
  },
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
