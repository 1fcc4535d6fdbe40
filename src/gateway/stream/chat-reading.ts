import { isRecord } from '../../ledger/model/json.ts'
import { MEDIA, OutputCount, textsOf } from './delivered.ts'
import { HAS_USAGE, listOf, parsed, Reading, recordOf } from './reading.ts'

const NO_CHOICES = /"choices"\s*:\s*\[\s*\]/
const FINISH = /"finish_reason"\s*:\s*"/
const IMAGE_URL = /"url"\s*:\s*"data:image\//g

/** The pattern of output that is a list of parts, as for the reasoning models of Mistral. */
const CONTENT_PARTS = /"content"\s*:\s*\[/
const PART_TEXTS = textsOf('text|thinking')

/** The fields with text. Some servers send the same reasoning in `reasoning_content` and in `reasoning`. */
const CHAT_TEXTS = 'content|reasoning_content|arguments|input|refusal|transcript'
const WITHOUT_COPY = textsOf(CHAT_TEXTS)
const HAS_COPY = /"reasoning_content"\s*:\s*"[^"]/

/** Reads a stream of chat completions, in the format of OpenAI and of many other providers. */
export class ChatReading extends Reading {
  readonly delivered = new OutputCount(`${CHAT_TEXTS}|reasoning`)
  private last: string | undefined
  private hasReport = false
  private finished = false

  protected read(data: string): void {
    const output = data.includes('"message"') ? deltasIn(data) : data
    if (output.includes('"reasoning_content"') && HAS_COPY.test(output)) {
      this.delivered.addTexts(output, WITHOUT_COPY)
    } else this.delivered.text(output)
    if (CONTENT_PARTS.test(output)) this.delivered.addTexts(output, PART_TEXTS)
    if (data.includes('"audio"')) this.delivered.addAudio(data, MEDIA)
    if (data.includes('"images"')) this.delivered.images += data.match(IMAGE_URL)?.length ?? 0
    if (FINISH.test(data)) this.finished = true
    if (!HAS_USAGE.test(data)) return
    this.last = data
    this.hasReport = NO_CHOICES.test(data)
  }

  get complete(): boolean {
    return this.last !== undefined && (this.finished || this.hasReport)
  }

  get ended(): boolean {
    return this.finished
  }

  override isReport(data: string): boolean {
    return HAS_USAGE.test(data) && NO_CHOICES.test(data)
  }

  /** Returns the last report. Moonshot reports the usage of a stream in its completion. */
  reported() {
    const event = parsed(this.last)
    const { usage } = recordOf(listOf(event?.choices)[0])
    return isRecord(usage) && !isRecord(event?.usage) ? { ...event, usage } : event
  }
}

/**
 * Returns the new output in a chunk. Perplexity also sends all output so far, in the field `message`. Returns the whole
 * chunk if it has no such output, or is nested too deeply.
 */
function deltasIn(data: string): string {
  const deltas = listOf(parsed(data)?.choices).map((choice) => recordOf(choice).delta)
  try {
    return deltas.some(isRecord) ? JSON.stringify(deltas) : data
  } catch {
    return data
  }
}
