import { isRecord } from '../../ledger/model/json.ts'
import type { Item } from '../ingest.ts'
import { keyOf } from '../ingest.ts'
import { itemOf, type Mapping } from './mapping.ts'

/**
 * Reads CloudEvents 1.0 over HTTP, in the structured, batched or binary mode. In the binary mode, the attributes of the
 * event are in `ce-` headers.
 */

/** A received event: its name in the response, and the item that it is mapped to. */
export interface Received {
  /** The name of the event in the response: its id, or its position in the batch if it has no valid id. */
  readonly id: string
  readonly item: Item
}

type Attributes = Readonly<Record<string, unknown>>

/** Returns the attributes of an event in the binary mode; undefined if the request has another mode. */
export function binaryAttributes(header: (name: string) => string | undefined): Attributes | undefined {
  const id = header('ce-id')
  if (id === undefined) return undefined
  const names = ['source', 'type', 'subject', 'time', 'specversion']
  return { id, ...Object.fromEntries(names.map((name) => [name, decoded(header(`ce-${name}`))])) }
}

/**
 * Decodes a percent-encoded header value (CloudEvents HTTP binding, section 3.1.3.2). Returns an invalid or missing
 * value unchanged.
 */
function decoded(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

export function receive(event: unknown, index: number, mappings: readonly Mapping[]): Received {
  const place = `#${index + 1}`
  if (!isRecord(event)) return { id: place, item: wrong('An event must be an object.') }
  const { id, source, type, subject, time, specversion } = event
  if (!isText(id)) return { id: place, item: wrong('The id must be a text that is not empty.') }
  if (!isText(source)) return { id, item: wrong('The source must be a text that is not empty.') }
  if (!isText(type)) return { id, item: wrong('The type must be a text that is not empty.') }
  if (specversion !== undefined && specversion !== null && specversion !== '1.0') {
    return { id, item: wrong('The specversion must be 1.0.') }
  }
  if (!isAbsent(subject) && typeof subject !== 'string')
    return { id, item: wrong('The subject must be a text.') }
  if (!isAbsent(time) && typeof time !== 'string') return { id, item: wrong('The time must be a text.') }
  const foreign = {
    type,
    user_id: isText(subject) ? subject : undefined,
    time: isText(time) ? time : undefined,
    data: dataOf(event),
    key: keyOf('openmeter', source, id),
  }
  return { id, item: itemOf(foreign, mappings) }
}

function dataOf({ data, data_base64 }: Attributes): unknown {
  const text = typeof data_base64 === 'string' ? textOfBase64(data_base64) : data
  // The data can be a text that contains JSON.
  if (typeof text !== 'string') return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function textOfBase64(base64: string): string | undefined {
  try {
    return atob(base64)
  } catch {
    return undefined
  }
}

function wrong(detail: string): Item {
  return { kind: 'rejected', reason: 'unreadable', detail }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}
