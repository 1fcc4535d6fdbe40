import type { Draft } from '../commit/draft.ts'
import { FORMAT } from '../journal/packing.ts'
import type { BatchAnswer, BatchItemAnswer } from '../model/answers.ts'
import type { IngestItem, IngestMessage, IngestResult } from '../model/messages/events.ts'
import { detailOf } from '../model/refusal.ts'
import type { Idempotency } from '../model/vocabulary.ts'
import { applyEvent, type BurnContext, eventAnswer } from './burn.ts'

/** A request to ingest, one event or a batch, applied to a draft. */
export function applyIngest(draft: Draft, message: IngestMessage, context: BurnContext): IngestResult {
  return message.shape === 'single'
    ? ingestOne(draft, message.item, context)
    : ingestBatch(draft, message, context)
}

function ingestOne(draft: Draft, item: IngestItem, context: BurnContext): IngestResult {
  const outcome = applyEvent(draft, item, context)
  if (outcome.kind === 'refused') return outcome
  return {
    kind: outcome.kind,
    shape: 'single',
    format: outcome.format,
    answer: eventAnswer(context.ids, outcome.entry),
  }
}

/**
 * The events of a batch in order, each on its own. With a key of its own the batch is answered as a whole from then
 * on, rejections included, so its answer is kept.
 */
function ingestBatch(
  draft: Draft,
  message: IngestMessage & { shape: 'batch' },
  context: BurnContext,
): IngestResult {
  const check = draft.checkKey(message.idempotency, 'batch')
  if (check.kind === 'refused') return check
  if (check.kind === 'replay') {
    // Equal fingerprints mean the same operation, so the record is the answer to a batch.
    if (check.record.kind !== 'answer' || check.record.answer.of !== 'batch') {
      throw new Error('a batch was replayed from a record of another kind')
    }
    return { kind: 'replayed', shape: 'batch', format: check.format, answer: check.record.answer }
  }
  draft.loadKeys(message.items.flatMap((item): Idempotency[] => (item.idempotency ? [item.idempotency] : [])))
  const results = message.items.map((item) => itemAnswer(draft, item, context))
  const answer: BatchAnswer = { batch_id: message.batch_id, results }
  if (message.idempotency) {
    const { at_ms } = draft
    draft.record({
      kind: 'answer',
      at_ms,
      answer: { of: 'batch', ...answer },
      idempotency: message.idempotency,
    })
  }
  return { kind: 'done', shape: 'batch', format: FORMAT, answer }
}

function itemAnswer(draft: Draft, item: IngestItem, context: BurnContext): BatchItemAnswer {
  const outcome = applyEvent(draft, item, context)
  if (outcome.kind === 'refused') {
    return { status: 'rejected', code: outcome.refusal.code, detail: detailOf(outcome.refusal) }
  }
  const { id, credits, balance_after } = eventAnswer(context.ids, outcome.entry)
  return { status: outcome.kind === 'done' ? 'accepted' : 'duplicate', id, credits, balance_after }
}
