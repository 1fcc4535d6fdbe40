import type { Usage, UsageUnit } from '../usage.ts'

/** The short forms of media usage in events and calculations (contract sections 3 and 4). */
export interface MediaFields {
  readonly event_type?: string | undefined
  readonly image_count?: number | undefined
  readonly duration_seconds?: number | undefined
}

/**
 * Short forms as canonical usage: images made, and seconds of what the event type says, or else of what the
 * model is priced by. A duration of neither is audio, which most models that bill by time hear or speak.
 */
export function mediaUsage(fields: MediaFields, covered: ReadonlySet<UsageUnit> = NOTHING): Usage {
  const { image_count, duration_seconds } = fields
  return {
    ...(image_count === undefined ? {} : { output_images: image_count }),
    ...(duration_seconds === undefined
      ? {}
      : { [durationUnit(fields.event_type, covered)]: duration_seconds }),
  }
}

const NOTHING: ReadonlySet<UsageUnit> = new Set()

function durationUnit(eventType: string | undefined, covered: ReadonlySet<UsageUnit>): UsageUnit {
  if (eventType === 'VIDEO_GENERATION') return 'video_seconds'
  if (eventType === 'AUDIO_PROCESSING') return 'audio_seconds'
  return covered.has('video_seconds') && !covered.has('audio_seconds') ? 'video_seconds' : 'audio_seconds'
}
