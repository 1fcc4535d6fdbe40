/** Responses from providers in their documented formats, and their cost. */

export const CHAT_MODEL = 'gpt-4o-2024-08-06'
export const CHAT_USAGE = {
  prompt_tokens: 2006,
  completion_tokens: 300,
  total_tokens: 2306,
  prompt_tokens_details: { cached_tokens: 1920 },
  completion_tokens_details: { reasoning_tokens: 128 },
}
export const chatChunk = (delta: object, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: CHAT_MODEL,
  choices: [{ index: 0, delta, finish_reason: null }],
  usage: null,
  ...more,
})
export const CHAT_WORDS = ['You ', 'may ', 'return ', 'them ', 'within ', '30 ', 'days, äöü 漢字.'].map(
  (content) => chatChunk({ role: 'assistant', content }),
)
export const CHAT_STOP = chatChunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
export const CHAT_REPORT = chatChunk({}, { choices: [], usage: CHAT_USAGE })
export const CHAT_COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: CHAT_MODEL,
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Within 30 days.' } }],
  usage: CHAT_USAGE,
}
export const CHAT_PRICE = {
  provider: 'OPENAI',
  provider_api: 'chat',
  provider_response: { model: CHAT_MODEL, usage: CHAT_USAGE },
}
export const DONE = 'data: [DONE]\n\n'

export const RESPONSE = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'completed',
  model: 'gpt-5-2025-08-07',
  output: [
    { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'x' } },
    {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Yes.', annotations: [] }],
    },
  ],
  usage: {
    input_tokens: 1536,
    input_tokens_details: { cached_tokens: 1024 },
    output_tokens: 1210,
    output_tokens_details: { reasoning_tokens: 896 },
    total_tokens: 2746,
  },
}
export const RESPONSE_PRICE = {
  provider: 'OPENAI',
  provider_api: 'responses',
  provider_response: RESPONSE,
}
export const responseEvents = (end: string) => [
  { type: 'response.created', sequence_number: 0, response: { ...RESPONSE, usage: null, output: [] } },
  {
    type: 'response.output_text.delta',
    sequence_number: 1,
    delta: 'Yes.',
    item_id: 'msg_1',
    output_index: 1,
  },
  { type: end, sequence_number: 2, response: RESPONSE },
]

export const CLAUDE_MODEL = 'claude-sonnet-4-6'
export const CLAUDE_USAGE = {
  input_tokens: 21,
  cache_creation_input_tokens: 1536,
  cache_read_input_tokens: 18000,
  cache_creation: { ephemeral_5m_input_tokens: 1024, ephemeral_1h_input_tokens: 512 },
  output_tokens: 393,
  service_tier: 'standard',
}
export const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: CLAUDE_MODEL,
  content: [{ type: 'text', text: 'Yes, with three months of notice.' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: CLAUDE_USAGE,
}
export const MESSAGE_START = {
  type: 'message_start',
  message: { ...MESSAGE, content: [], stop_reason: null, usage: { ...CLAUDE_USAGE, output_tokens: 1 } },
}
export const MESSAGE_EVENTS = [
  MESSAGE_START,
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  ...['Yes, ', 'with ', 'three ', 'months ', 'of ', 'notice.'].map((text) => ({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text },
  })),
  { type: 'content_block_stop', index: 0 },
  {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: 393 },
  },
  { type: 'message_stop' },
]
export const MESSAGE_PRICE = {
  provider: 'ANTHROPIC',
  provider_api: 'anthropic',
  provider_response: { model: CLAUDE_MODEL, usage: CLAUDE_USAGE },
}

export const GEMINI_MODEL = 'gemini-2.5-pro'
export const GEMINI_USAGE = {
  promptTokenCount: 1200,
  candidatesTokenCount: 350,
  totalTokenCount: 2350,
  cachedContentTokenCount: 800,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1200 }],
  cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 800 }],
  thoughtsTokenCount: 800,
}
export const geminiChunk = (text: string, usageMetadata: object, finishReason?: string) => ({
  candidates: [
    { content: { role: 'model', parts: [{ text }] }, ...(finishReason && { finishReason }), index: 0 },
  ],
  usageMetadata,
  modelVersion: GEMINI_MODEL,
  responseId: 'r-1',
})
export const GEMINI_CHUNKS = [
  ...['Revenue ', 'grew ', 'by ', '14 ', '%.'].map((text, index) =>
    geminiChunk(text, {
      promptTokenCount: 1200,
      candidatesTokenCount: 10 * (index + 1),
      totalTokenCount: 1210,
    }),
  ),
  geminiChunk('', GEMINI_USAGE, 'STOP'),
]
export const GEMINI_PRICE = {
  provider: 'GOOGLE',
  provider_api: 'gemini',
  provider_response: { modelVersion: GEMINI_MODEL, usageMetadata: GEMINI_USAGE },
}
