import { isRecord } from '../../ledger/model/json.ts'
import { type Delivered, isNothing } from './delivered.ts'

/** The pattern of a usage report in the formats of OpenAI and Anthropic. */
export const HAS_USAGE = /"usage"\s*:\s*\{/

export type Json = Readonly<Record<string, unknown>>

/**
 * Reads the usage and the output from the data of a stream's events. Each stream format has its own subclass. The usage
 * is parsed only when it is needed.
 */
export abstract class Reading {
  abstract readonly delivered: Delivered
  /** True if the provider has reported the usage of the whole response. */
  abstract readonly complete: boolean
  /**
   * True if the model's output has ended, or the first of several completions. The usage report can follow from then
   * on.
   */
  abstract readonly ended: boolean
  /** The first model that the stream names; undefined before. */
  model: string | undefined
  private failed = false

  /** Reads the data of an event, which must be decoded as Latin-1. */
  take(data: string): void {
    if (this.model === undefined && data.includes('"model')) this.model = modelIn(parsed(data))
    // An error matters only before the first output, so the lines after it are not searched.
    if (!this.failed && data.includes('"error"') && isNothing(this.delivered)) {
      this.failed = isError(parsed(data))
    }
    this.read(data)
  }

  /**
   * Counts the output in the data of an event that was interrupted. The end of an output and the usage are not read,
   * because an incomplete report must not replace an earlier one.
   */
  takeInterrupted(data: string): void {
    const end = data.search(REPORTED)
    this.read(end === -1 ? data : data.slice(0, end))
  }

  /** True if the provider sent an error, but no output and no usage. */
  get refused(): boolean {
    return this.failed && isNothing(this.delivered) && this.reported() === undefined
  }

  /** Returns whether an event is a separate usage report, which the provider sends only if the request asks for it. */
  isReport(_data: string): boolean {
    return false
  }

  /**
   * Returns the last usage report of the provider, in the format of a response that is not a stream. Returns undefined
   * if the provider reported no usage.
   */
  abstract reported(): Json | undefined

  protected abstract read(data: string): void
}

/** The pattern of the usage and of the reason for the end of an output, in the format of any provider. */
const REPORTED = /"usage(?:Metadata)?"\s*:\s*\{|"(?:finish_?[rR]eason|stop_reason)"\s*:\s*"/

/** Returns the model that a response or an event names; undefined if it names none of at most 255 characters. */
export function modelOf({ model, modelVersion }: Json): string | undefined {
  const name = model ?? modelVersion
  return typeof name === 'string' && name !== '' && name.length <= 255 ? name : undefined
}

/** Returns the model that an event, or the response or message in it, names; undefined if none is named. */
function modelIn(event: Json = {}): string | undefined {
  return modelOf(event) ?? modelOf(recordOf(event.response)) ?? modelOf(recordOf(event.message))
}

/** Returns whether a response or an event is an error, in the format of any provider. */
export function isError({ type, object, error }: Json = {}): boolean {
  return (
    type === 'error' ||
    type === 'response.failed' ||
    object === 'error' ||
    isRecord(error) ||
    (typeof error === 'string' && error !== '')
  )
}

/** Returns a JSON object; undefined if the text is not one. */
export function parsed(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function recordOf(value: unknown): Json {
  return isRecord(value) ? value : {}
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
