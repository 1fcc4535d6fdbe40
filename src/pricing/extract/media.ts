import type { Usage, UsageUnit } from '../usage.ts'
import { isRecord, ownValue, type ReadQuantity } from './rules.ts'

/** The short fields for images, audio and video in events and calculations. */
export interface MediaFields {
  readonly event_type?: string | undefined
  readonly image_count?: number | undefined
  readonly duration_seconds?: number | undefined
}

/**
 * Converts short fields to canonical usage: generated images, and seconds of audio or video. The event types
 * `VIDEO_GENERATION` and `AUDIO_PROCESSING` determine the unit of a duration. For other event types, the duration
 * counts as video if the model's prices cover `video_seconds` but not `audio_seconds`. Otherwise it counts as audio,
 * because most models that are billed by time are audio models.
 */
export function mediaUsage(fields: MediaFields, covered: ReadonlySet<UsageUnit> = NOTHING): Usage {
  const { image_count, duration_seconds } = fields
  if (image_count === undefined && duration_seconds === undefined) return NO_USAGE
  return {
    ...(image_count === undefined ? {} : { output_images: image_count }),
    ...(duration_seconds === undefined
      ? {}
      : { [durationUnit(fields.event_type, covered)]: duration_seconds }),
  }
}

const NOTHING: ReadonlySet<UsageUnit> = new Set()
const NO_USAGE: Usage = {}

function durationUnit(eventType: string | undefined, covered: ReadonlySet<UsageUnit>): UsageUnit {
  if (eventType === 'VIDEO_GENERATION') return 'video_seconds'
  if (eventType === 'AUDIO_PROCESSING') return 'audio_seconds'
  return covered.has('video_seconds') && !covered.has('audio_seconds') ? 'video_seconds' : 'audio_seconds'
}

/**
 * Reads responses that have no usage part: lists of images, and video jobs of OpenAI, whose `seconds` are a text or a
 * number. Returns undefined for other responses.
 */
export function mediaOfBody(
  body: Record<string, unknown>,
): { readonly usage: Usage; readonly model?: string; readonly read: readonly ReadQuantity[] } | undefined {
  const model = ownValue(body, 'model')
  const named = typeof model === 'string' ? { model } : {}
  for (const list of IMAGE_LISTS) {
    const items = ownValue(body, list)
    const images: unknown[] = Array.isArray(items) ? items : []
    if (images.length === 0 || !images.every(isImage)) continue
    const quantity = images.length
    return {
      usage: { output_images: quantity },
      ...named,
      read: [{ unit: 'output_images', path: `${list}[]`, quantity }],
    }
  }
  const seconds = ownValue(body, 'seconds')
  const quantity = typeof seconds === 'string' && /^\d{1,6}$/.test(seconds) ? Number(seconds) : seconds
  if (ownValue(body, 'object') !== 'video' || typeof quantity !== 'number' || !(quantity >= 0))
    return undefined
  return {
    usage: quantity > 0 ? { video_seconds: quantity } : {},
    ...named,
    read: [{ unit: 'video_seconds', path: 'seconds', quantity }],
  }
}

/**
 * The fields that contain the list of images: `data` in OpenAI's API and similar APIs, `predictions` in Vertex,
 * `generatedImages` in Google's SDK.
 */
const IMAGE_LISTS = ['data', 'predictions', 'generatedImages']
const IMAGE_KEYS = ['url', 'b64_json', 'bytesBase64Encoded', 'gcsUri', 'image']

function isImage(item: unknown): boolean {
  return isRecord(item) && IMAGE_KEYS.some((key) => Object.hasOwn(item, key))
}
