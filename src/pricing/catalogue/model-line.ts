/** The family, generation, size and purpose of a model, read from its name. They are used to find comparable models. */
export interface ModelLine {
  readonly family: string
  /**
   * The generation, for example `4.5` for `claude-sonnet-4-5`; undefined if the name has no number that can be a
   * generation.
   */
  readonly generation: number | undefined
  readonly size: string
  /** The purpose of the model, for example `embedding`, `tts` or `realtime`; empty for a model for conversations. */
  readonly purpose: string
  /**
   * True for a variant of a model, for example a snapshot, a preview or a fine-tuned model. Variants are never
   * suggested.
   */
  readonly special: boolean
}

const SIZES = [
  'nano',
  'mini',
  'small',
  'medium',
  'large',
  'lite',
  'flash',
  'pro',
  'ultra',
  'haiku',
  'sonnet',
  'opus',
  'fable',
  'astra',
  'sol',
  'terra',
  'luna',
]
const PURPOSES = [
  'embed',
  'embedding',
  'tts',
  'transcribe',
  'whisper',
  'realtime',
  'audio',
  'image',
  'video',
  'search',
  'moderation',
  'instruct',
  'codex',
  'code',
  'coder',
  'research',
  'vision',
  'live',
  'voice',
  'ocr',
  'cyber',
  'agent',
]
const SPECIAL = /preview|latest|exp|beta|free|^ft:|\d{4}-\d{2}-\d{2}|\d{8}|-\d{4}$|:|@/

export function modelLine(id: string): ModelLine {
  const name = id.toLowerCase()
  const words = name.split(/[^a-z0-9.]+/).filter((word) => word !== '')
  // The expression excludes sizes such as `120b`, which are not generations.
  const numbers = /(?<![\d.])(\d{1,2})(?:[.-](\d{1,2}))?(?![\db])/.exec(name.replace(DATE, ''))
  const firstDigit = words.findIndex((word) => /\d/.test(word))
  const lead = (firstDigit === -1 ? words : words.slice(0, firstDigit + 1)).map((word) =>
    word.replace(/\d.*/, ''),
  )
  return {
    family: lead.filter((word) => word !== '' && !SIZES.includes(word)).join('-'),
    generation: numbers === null ? undefined : Number(`${numbers[1]}.${numbers[2] ?? '0'}`),
    size: SIZES.filter((size) => words.includes(size)).join('-'),
    purpose: PURPOSES.filter((purpose) => words.includes(purpose)).join('-'),
    special: SPECIAL.test(name),
  }
}

const DATE = /\d{4}-?\d{2}-?\d{2}/g

/**
 * Returns whether `other` is not a variant, has the same family and purpose, and has the same or a newer generation.
 * Both generations must be known.
 */
export function comparableModel(own: ModelLine, other: ModelLine): boolean {
  if (other.special || own.family !== other.family || own.purpose !== other.purpose) return false
  return own.generation !== undefined && other.generation !== undefined && other.generation >= own.generation
}
