/** Family, generation and size of a model, read from its name, for comparing similar models. */
export interface ModelLine {
  readonly family: string
  /** `4.5` of `claude-sonnet-4-5`; undefined if the name has no number. */
  readonly generation: number | undefined
  readonly size: string
  /** The use of the model, if it is not conversation: `embedding`, `tts`, `realtime`. */
  readonly purpose: string
  /** A snapshot, a preview or a fine-tune: never suggested. */
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
  // A size such as 120b is not a generation.
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

/** Returns whether `other` has the same family and purpose, and the same or a newer generation. */
export function comparableModel(own: ModelLine, other: ModelLine): boolean {
  if (other.special || own.family !== other.family || own.purpose !== other.purpose) return false
  return own.generation !== undefined && other.generation !== undefined && other.generation >= own.generation
}
