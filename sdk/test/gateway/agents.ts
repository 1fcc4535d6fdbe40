import { expect } from 'vitest'
import type { GatewayCustomer } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Requests as coding agents send them, and responses as their providers send them. */

export interface Agent {
  readonly name: string
  /** The path that the agent requests, below the base URL of its configuration. */
  readonly path: string
  /** The path of the agent's base URL, below `/gateway/`. */
  readonly base: string
  /** The path at the provider, which the test double of the provider receives. */
  readonly upstreamPath: string
  /** The headers of every request, except the headers that contain the key. */
  readonly headers: Readonly<Record<string, string>>
  /** The names of the headers that the provider must get unchanged. */
  readonly passed: readonly string[]
  /** The ways in which the agent sends its key. */
  readonly keys: readonly ((key: string) => Readonly<Record<string, string>>)[]
  readonly body: string
  /** The largest usage that the request can cause. A hold covers this usage. */
  readonly largest: Parameters<GatewayCustomer['price']>[0]
  /** The headers that the agent reads from a response. */
  readonly answerHeaders: Readonly<Record<string, string>>
  /** The events of a streamed response, in the form in which they are sent. */
  readonly events: readonly string[]
  /** The number of events before the agent is interrupted, and the usage that is charged for them. */
  readonly interrupted: {
    readonly after: number
    readonly charge: Parameters<GatewayCustomer['price']>[0]
  }
  readonly whole: Parameters<GatewayCustomer['price']>[0]
  /** The calls of the agent that are not charged. A call with a body is a POST. */
  readonly free: readonly {
    readonly path: string
    readonly upstreamPath: string
    readonly body?: string
    readonly answer: object
  }[]
  /** The header that counts repeated requests. */
  readonly repeated: Readonly<Record<string, string>>
  /** The refusal of the provider after which the agent repeats the request. */
  readonly busy: { readonly status: number; readonly body: object }
  /** Returns the fields of an error response that the agent shows, for an error code and type. */
  readonly error: (code: string, type: string) => object
  readonly errorTypes: { readonly 402: string; readonly 403: string; readonly 429: string }
}

const SESSION = '0199ac51-3f0e-7a42-9d65-8f1f4b6a2c10'
const event = (type: string, fields: object = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
/**
 * Returns the tokens that a hold covers for a text. Counts one token for every three characters, and one token for
 * every two additional bytes of characters outside ASCII.
 */
const heldTokens = (text: string) => Math.ceil(text.length / 3 + (Buffer.byteLength(text) - text.length) / 2)
const likelyTokens = (text: string) => Math.ceil(Buffer.byteLength(text) / 4)
/** Instructions with the size of an agent's real instructions. The tests do not depend on their words. */
const INSTRUCTIONS =
  'Work in the folder below. Read a file before you change it. Run the tests. „Ü“ → ✓\n'.repeat(150)
const PROMPT = 'The test of `sum()` fails with “expected 3, got 2” \u001b[31m✗\u001b[0m. Fix it.'
/** Encrypted reasoning in the form that the providers return. */
const SEALED = `gAAAAAB${'k3Jx9_Qz'.repeat(40)}==`

const claudeTool = (name: string, property: string) => ({
  name,
  description: `${name} of the agent. ${'It returns lines with their numbers. '.repeat(12)}`,
  input_schema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { [property]: { description: 'An absolute path', type: 'string' } },
    required: [property],
    additionalProperties: false,
  },
})
const claudeBody = JSON.stringify({
  model: scripts.CLAUDE_MODEL,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: '<system-reminder>\nToday is a Sunday.\n</system-reminder>' },
        { type: 'text', text: PROMPT },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: '', signature: SEALED },
        { type: 'tool_use', id: 'toolu_01', name: 'Read', input: { file_path: '/src/sum.ts' } },
      ],
    },
    {
      role: 'user',
      content: [
        {
          tool_use_id: 'toolu_01',
          type: 'tool_result',
          content: '     1\u2192export const sum = (a: number, b: number) => a\n',
          cache_control: { type: 'ephemeral' },
        },
      ],
    },
  ],
  system: [
    {
      type: 'text',
      text: 'x-anthropic-billing-header: cc_version=2.1.257.c31; cc_entrypoint=cli; cch=4f1c0;',
    },
    { type: 'text', text: 'You are a coding agent.', cache_control: { type: 'ephemeral' } },
    { type: 'text', text: INSTRUCTIONS, cache_control: { type: 'ephemeral' } },
  ],
  tools: [claudeTool('Read', 'file_path'), claudeTool('Edit', 'file_path'), claudeTool('Bash', 'command')],
  metadata: {
    user_id: JSON.stringify({ device_id: 'a1'.repeat(32), account_uuid: '', session_id: SESSION }),
  },
  max_tokens: 32_000,
  thinking: { type: 'adaptive' },
  context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  output_config: { effort: 'high' },
  stream: true,
})
const PING = 'event: ping\ndata: {"type": "ping"}\n\n'
const blockDelta = (index: number, delta: object) => event('content_block_delta', { index, delta })
const claudeEvents = [
  event('message_start', scripts.MESSAGE_START),
  PING,
  event('content_block_start', {
    index: 0,
    content_block: { type: 'thinking', thinking: '', signature: '' },
  }),
  // The two deltas have 24 and 16 bytes, which are counted as ten tokens.
  blockDelta(0, { type: 'thinking_delta', thinking: 'The second operand of su' }),
  PING,
  blockDelta(0, { type: 'thinking_delta', thinking: 'm is not added. ' }),
  blockDelta(0, { type: 'signature_delta', signature: SEALED }),
  event('content_block_stop', { index: 0 }),
  PING,
  event('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }),
  blockDelta(1, { type: 'text_delta', text: 'I fix “sum” ✓' }),
  event('content_block_stop', { index: 1 }),
  event('content_block_start', {
    index: 2,
    content_block: { type: 'tool_use', id: 'toolu_02', name: 'Edit', input: {} },
  }),
  blockDelta(2, { type: 'input_json_delta', partial_json: '' }),
  blockDelta(2, { type: 'input_json_delta', partial_json: '{"file_path": "/src/s' }),
  PING,
  blockDelta(2, { type: 'input_json_delta', partial_json: 'um.ts"}' }),
  event('content_block_stop', { index: 2 }),
  event('message_delta', {
    delta: { stop_reason: 'tool_use', stop_sequence: null },
    usage: scripts.CLAUDE_USAGE,
    context_management: { applied_edits: [] },
  }),
  event('message_stop'),
]

const CLAUDE_CODE: Agent = {
  name: 'Claude Code',
  base: 'anthropic',
  path: '/v1/messages?beta=true',
  upstreamPath: '/anthropic/messages?beta=true',
  headers: {
    accept: 'application/json',
    'anthropic-beta':
      'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,prompt-caching-scope-2026-01-05,effort-2025-11-24',
    'anthropic-dangerous-direct-browser-access': 'true',
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
    'user-agent': 'claude-cli/2.1.257 (external, cli)',
    'x-app': 'cli',
    'x-claude-code-session-id': SESSION,
    'x-stainless-arch': 'x64',
    'x-stainless-lang': 'js',
    'x-stainless-os': 'Linux',
    'x-stainless-package-version': '0.94.0',
    'x-stainless-retry-count': '0',
    'x-stainless-runtime': 'node',
    'x-stainless-runtime-version': 'v24.3.0',
    'x-stainless-timeout': '600',
  },
  passed: [
    'accept',
    'anthropic-beta',
    'anthropic-dangerous-direct-browser-access',
    'anthropic-version',
    'content-type',
    'user-agent',
    'x-app',
    'x-claude-code-session-id',
  ],
  keys: [
    // The keys are from ANTHROPIC_AUTH_TOKEN, from ANTHROPIC_API_KEY, and from `apiKeyHelper`, which is sent in both
    // headers.
    (key) => ({ authorization: `Bearer ${key}` }),
    (key) => ({ 'x-api-key': key }),
    (key) => ({ authorization: `Bearer ${key}`, 'x-api-key': key }),
  ],
  body: claudeBody,
  largest: {
    provider: 'ANTHROPIC',
    model: scripts.CLAUDE_MODEL,
    usage: {
      input_tokens: heldTokens(claudeBody),
      cache_write_tokens: heldTokens(claudeBody),
      output_tokens: 32_000,
    },
  },
  answerHeaders: { 'request-id': 'req_011C', 'anthropic-ratelimit-unified-status': 'allowed' },
  events: claudeEvents,
  interrupted: {
    after: 6,
    charge: {
      ...scripts.MESSAGE_PRICE,
      provider_response: {
        model: scripts.CLAUDE_MODEL,
        usage: { ...scripts.CLAUDE_USAGE, output_tokens: 10 },
      },
    },
  },
  whole: scripts.MESSAGE_PRICE,
  free: [
    {
      path: '/v1/messages/count_tokens?beta=true',
      upstreamPath: '/anthropic/messages/count_tokens?beta=true',
      body: JSON.stringify({
        model: scripts.CLAUDE_MODEL,
        messages: [{ role: 'user', content: 'foo' }],
        tools: [claudeTool('Read', 'file_path')],
      }),
      answer: { input_tokens: 412 },
    },
    {
      path: '/v1/models?limit=1000',
      upstreamPath: '/anthropic/models?limit=1000',
      answer: { data: [{ type: 'model', id: scripts.CLAUDE_MODEL }], has_more: false },
    },
  ],
  repeated: { 'x-stainless-retry-count': '1' },
  busy: { status: 529, body: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } } },
  error: (code, type) => ({ type: 'error', error: { type, code, message: expect.any(String) } }),
  errorTypes: { 402: 'billing_error', 403: 'permission_error', 429: 'rate_limit_error' },
}

export const CODEX_MODEL = 'gpt-5.3-codex'
const codexFunction = (name: string, property: string) => ({
  type: 'function',
  name,
  description: `${name} of the agent. ${'It returns its output and its exit code. '.repeat(12)}`,
  strict: false,
  parameters: {
    type: 'object',
    properties: { [property]: { type: 'string', description: 'A text' } },
    required: [property],
    additionalProperties: false,
  },
})
const codexMessage = (role: string, text: string) => ({
  type: 'message',
  role,
  content: [{ type: 'input_text', text }],
})
const PATCH = '*** Begin Patch\n*** Update File: src/sum.ts\n@@\n-=> a\n+=> a + b\n*** End Patch\n'
const codexBody = JSON.stringify({
  model: CODEX_MODEL,
  instructions: INSTRUCTIONS,
  input: [
    codexMessage(
      'developer',
      '<permissions instructions>Commands run in a sandbox.</permissions instructions>',
    ),
    codexMessage(
      'user',
      '<environment_context>\n  <cwd>/src</cwd>\n  <shell>bash</shell>\n</environment_context>',
    ),
    codexMessage('user', PROMPT),
    {
      type: 'reasoning',
      summary: [{ type: 'summary_text', text: '**Reading the file**' }],
      content: null,
      encrypted_content: SEALED,
    },
    { type: 'function_call', name: 'exec_command', arguments: '{"cmd":"cat sum.ts"}', call_id: 'call_1' },
    { type: 'function_call_output', call_id: 'call_1', output: 'export const sum = (a, b) => a\n' },
    {
      type: 'local_shell_call',
      call_id: 'call_2',
      status: 'completed',
      action: { type: 'exec', command: ['bash', '-lc', 'npm test'], timeout_ms: 10_000 },
    },
    {
      type: 'function_call_output',
      call_id: 'call_2',
      output: '{"output":"1 failed","metadata":{"exit_code":1}}',
    },
    { type: 'custom_tool_call', status: 'completed', call_id: 'call_3', name: 'apply_patch', input: PATCH },
    { type: 'custom_tool_call_output', call_id: 'call_3', output: 'Success. Updated src/sum.ts' },
  ],
  tools: [
    codexFunction('exec_command', 'cmd'),
    codexFunction('update_plan', 'plan'),
    { type: 'local_shell' },
    {
      type: 'custom',
      name: 'apply_patch',
      description: 'Edits files. The patch is free text, not JSON.',
      format: {
        type: 'grammar',
        syntax: 'lark',
        definition: 'start: "*** Begin Patch" LF hunk+ "*** End Patch" LF?',
      },
    },
    { type: 'web_search', external_web_access: true },
  ],
  tool_choice: 'auto',
  parallel_tool_calls: true,
  reasoning: { effort: 'medium', summary: 'auto' },
  store: false,
  stream: true,
  include: ['reasoning.encrypted_content'],
  prompt_cache_key: SESSION,
  text: { verbosity: 'low' },
  client_metadata: { 'x-codex-installation-id': SESSION },
})
const codexUsage = {
  input_tokens: 18_204,
  input_tokens_details: { cached_tokens: 16_384 },
  output_tokens: 512,
  output_tokens_details: { reasoning_tokens: 320 },
  total_tokens: 18_716,
}
const codexResponse = (more: object) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'in_progress',
  model: CODEX_MODEL,
  output: [],
  parallel_tool_calls: true,
  store: false,
  service_tier: 'default',
  prompt_cache_key: SESSION,
  usage: null,
  ...more,
})
const reasoningItem = (more: object) => ({ id: 'rs_1', type: 'reasoning', summary: [], ...more })
const patchItem = (more: object) => ({
  id: 'ctc_1',
  type: 'custom_tool_call',
  call_id: 'call_4',
  name: 'apply_patch',
  ...more,
})
const codexDone = codexResponse({ status: 'completed', usage: codexUsage })
const codexEvents = [
  ['response.created', { response: codexResponse({}) }],
  ['response.in_progress', { response: codexResponse({}) }],
  ['response.output_item.added', { output_index: 0, item: reasoningItem({ encrypted_content: '' }) }],
  ['response.reasoning_summary_part.added', { item_id: 'rs_1', part: { type: 'summary_text', text: '' } }],
  // The two deltas have 24 and 16 bytes, which are counted as ten tokens.
  [
    'response.reasoning_summary_text.delta',
    { item_id: 'rs_1', delta: 'The second operand of su', obfuscation: 'x' },
  ],
  [
    'response.reasoning_summary_text.delta',
    { item_id: 'rs_1', delta: 'm is not added. ', obfuscation: 'xyz' },
  ],
  [
    'response.reasoning_summary_text.done',
    { item_id: 'rs_1', text: 'The second operand of sum is not added. ' },
  ],
  ['response.output_item.done', { output_index: 0, item: reasoningItem({ encrypted_content: SEALED }) }],
  ['response.output_item.added', { output_index: 1, item: patchItem({ input: '', status: 'in_progress' }) }],
  ['response.custom_tool_call_input.delta', { item_id: 'ctc_1', delta: PATCH.slice(0, 30), obfuscation: '' }],
  ['response.custom_tool_call_input.delta', { item_id: 'ctc_1', delta: PATCH.slice(30), obfuscation: 'ab' }],
  ['response.custom_tool_call_input.done', { item_id: 'ctc_1', input: PATCH }],
  ['response.output_item.done', { output_index: 1, item: patchItem({ input: PATCH, status: 'completed' }) }],
  ['response.completed', { response: codexDone }],
].map(([type, fields], sequence_number) => event(String(type), { sequence_number, ...Object(fields) }))

const CODEX: Agent = {
  name: 'Codex',
  base: 'openai/v1',
  path: '/responses',
  upstreamPath: '/openai/responses',
  headers: {
    accept: 'text/event-stream',
    'content-type': 'application/json',
    'openai-beta': 'responses=experimental',
    originator: 'codex_cli_rs',
    session_id: SESSION,
    'session-id': SESSION,
    'thread-id': SESSION,
    'user-agent': 'codex_cli_rs/0.162.1 (Ubuntu 24.4.0; x86_64) xterm-256color',
    version: '0.162.1',
    'x-client-request-id': SESSION,
    'x-codex-beta-features': 'terminal_resize_reflow',
    'x-codex-turn-metadata': JSON.stringify({ session_id: SESSION, sandbox: 'workspace-write' }),
    'x-codex-turn-state': 'gAAAA-of-the-turn',
    'x-codex-window-id': `${SESSION}:0`,
    'x-openai-subagent': 'review',
  },
  passed: [
    'accept',
    'content-type',
    'openai-beta',
    'originator',
    'session_id',
    'session-id',
    'thread-id',
    'user-agent',
    'version',
    'x-client-request-id',
    'x-codex-beta-features',
    'x-codex-turn-metadata',
    'x-codex-turn-state',
    'x-codex-window-id',
    'x-openai-subagent',
  ],
  keys: [(key) => ({ authorization: `Bearer ${key}` })],
  body: codexBody,
  largest: {
    provider: 'OPENAI',
    model: CODEX_MODEL,
    usage: { input_tokens: heldTokens(codexBody), output_tokens: 32_768, web_searches: 5 },
  },
  answerHeaders: { 'x-codex-turn-state': 'gAAAA-of-the-next', 'openai-model': CODEX_MODEL },
  events: codexEvents,
  interrupted: {
    after: 6,
    charge: {
      provider: 'OPENAI',
      model: CODEX_MODEL,
      input_tokens: likelyTokens(codexBody),
      output_tokens: 10,
    },
  },
  whole: { provider: 'OPENAI', provider_api: 'responses', provider_response: codexDone },
  free: [
    {
      path: '/models?client_version=0.162.1',
      upstreamPath: '/openai/models?client_version=0.162.1',
      answer: { object: 'list', data: [{ id: CODEX_MODEL, object: 'model' }] },
    },
  ],
  repeated: {},
  busy: {
    status: 503,
    body: { error: { message: 'Overloaded', type: 'server_error', code: 'server_overloaded' } },
  },
  error: (code, type) => ({ error: { code, type, message: expect.any(String), param: null } }),
  errorTypes: { 402: 'insufficient_quota', 403: 'permission_error', 429: 'rate_limit_error' },
}

export const AGENTS: readonly Agent[] = [CLAUDE_CODE, CODEX]
