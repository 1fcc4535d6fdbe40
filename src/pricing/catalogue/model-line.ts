/** What a model's name says of its family, generation and size: enough to compare like with like. */
export interface ModelLine {
  readonly family: string
  /** `4.5` of `claude-sonnet-4-5`; undefined where a name has no number. */
  readonly generation: number | undefined
  readonly size: string
  /** What it is for, when that is not conversation: `embedding`, `tts`, `realtime`. */
  readonly purpose: string
  /** A snapshot, a preview, a fine-tune: not something to suggest. */
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
  // A size such as 120b is no generation.
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

/** Whether `other` is of the same family and purpose, and of the same or a newer generation. */
export function comparableModel(own: ModelLine, other: ModelLine): boolean {
  if (other.special || own.family !== other.family || own.purpose !== other.purpose) return false
  return own.generation !== undefined && other.generation !== undefined && other.generation >= own.generation
}
