import { microCredits } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedAnswer } from '../commit/replay.ts'
import type { BatchAnswer, BatchItemAnswer } from '../model/answers.ts'
import type { IngestItem, IngestMessage, IngestResult } from '../model/messages/events.ts'
import { detailOf } from '../model/refusal.ts'
import type { Idempotency } from '../model/vocabulary.ts'
import { applyEvent, eventAnswer } from './burn.ts'
import type { BurnContext } from './rate.ts'

/** Applies an ingest request, of one event or a batch, to a draft. */
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
 * Ingests the events of a batch in order. A rejected event does not affect the other events. If the batch has an
 * idempotency key, stores the whole result under it, so that a replay also returns the rejections.
 */
function ingestBatch(
  draft: Draft,
  message: IngestMessage & { shape: 'batch' },
  context: BurnContext,
): IngestResult {
  const replayed = replayedAnswer(draft, message.idempotency, 'batch')
  if (replayed) return replayed.kind === 'refused' ? replayed : { shape: 'batch', ...replayed }
  draft.loadKeys(keysOf(message.items))
  const results = message.items.map((item) => itemAnswer(draft, item, context))
  const answer: BatchAnswer = { batch_id: message.batch_id, results }
  keepAnswer(draft, message.idempotency, { of: 'batch', ...answer })
  return { shape: 'batch', ...done(answer) }
}

function keysOf(items: readonly IngestItem[]): Idempotency[] {
  const keys: Idempotency[] = []
  for (const { idempotency } of items) if (idempotency) keys.push(idempotency)
  return keys
}

function itemAnswer(draft: Draft, item: IngestItem, context: BurnContext): BatchItemAnswer {
  const outcome = applyEvent(draft, item, context)
  if (outcome.kind === 'refused') {
    return { status: 'rejected', code: outcome.refusal.code, detail: detailOf(outcome.refusal) }
  }
  const { entry } = outcome
  return {
    status: outcome.kind === 'done' ? 'accepted' : 'duplicate',
    id: context.ids.event(entry),
    credits: microCredits(0 - entry.amount),
    balance_after: entry.balance_after,
  }
}
