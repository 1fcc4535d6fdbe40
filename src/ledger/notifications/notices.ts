import type { Draft } from '../commit/draft.ts'
import { unpackRow } from '../journal/packing.ts'
import type { JournalRows } from '../journal/rows.ts'
import type {
  NotificationsMessage,
  NotificationsResult,
  NotifyMessage,
} from '../model/messages/notifications.ts'

/** The prefix of idempotency keys that the ledger creates. No client can send a key with this prefix. */
const KEY_PREFIX = '\u0001notice:'

const DONE = { kind: 'done' } as const

/** Adds a notification of an event outside the ledger, once for each id within the idempotency window. */
export function applyNotice(draft: Draft, { id, notice }: NotifyMessage): typeof DONE {
  const idempotency = { key: `${KEY_PREFIX}${id}`, fingerprint: notice.type }
  // The key is checked as a batch key, because batch keys are accepted even if the ledger stores the maximum number of
  // keys.
  if (draft.checkKey(idempotency, 'batch').kind === 'unused') draft.notify(notice, idempotency)
  return DONE
}

/** Returns at most `limit` unflushed notifications whose sequence numbers are above `after_sequence`, oldest first. */
export function readUnflushedNotifications(
  journal: JournalRows,
  { after_sequence, limit }: NotificationsMessage,
): Extract<NotificationsResult, { readonly kind: 'done' }> {
  const notifications = []
  for (const { format, body } of journal.unflushedNotifications(after_sequence)) {
    for (const record of unpackRow(format, body)) {
      if (record.kind !== 'notification' || record.sequence <= after_sequence) continue
      const { sequence, type, at_ms, data } = record
      notifications.push({ sequence, type, at_ms, data })
      if (notifications.length === limit) break
    }
    if (notifications.length === limit) break
  }
  const first_sequence = notifications[0]?.sequence
  return {
    kind: 'done',
    answer: {
      notifications,
      flushed_sequence:
        first_sequence === undefined ? journal.counters.notification : Math.max(0, first_sequence - 1),
    },
  }
}
