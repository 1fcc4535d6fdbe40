/** The parts of a recorded response that identify a wrong row of the data set. */
export interface Recording {
  readonly provider: string
  readonly api: string
  readonly body: unknown
}

/**
 * The rows of the data set whose usage is wrong, grouped by the error. The tests do not compare their usage and cost.
 * `situations.node.test.ts` has similar rows with the correct values.
 */
export const MISREADINGS: readonly {
  readonly what: string
  readonly isOne: (recorded: Recording) => boolean
}[] = [
  {
    what: 'Azure bills cache writes of GPT-5.6 at 1.25 times input; the rows have plain input',
    isOne: ({ provider, body }) =>
      provider === 'azure' && /"cache_write_tokens":[1-9]/.test(JSON.stringify(body)),
  },
  {
    what: 'the total of Google’s OpenAI endpoint includes thoughts; the rows leave them out',
    isOne: ({ provider, api, body }) => provider === 'google' && api === 'chat' && hasHiddenThoughts(body),
  },
  {
    what: 'an advisor is billed at its own model; the rows leave it out',
    isOne: ({ body }) => JSON.stringify(body).includes('advisor_message'),
  },
]

function hasHiddenThoughts(body: unknown): boolean {
  const [, completion, prompt, total] =
    /"completion_tokens":(\d+).*"prompt_tokens":(\d+).*"total_tokens":(\d+)/.exec(JSON.stringify(body)) ?? []
  return Number(total) > Number(prompt) + Number(completion)
}
