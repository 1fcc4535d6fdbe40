import type { Bindings } from '../../bindings.ts'
import { ledgerName } from '../../db/ledger-db.ts'
import { type NotificationView, readFlushedNotifications } from '../../notifications/store.ts'
import { readOperatorNotifications } from '../operator-notifications.ts'
import type { Delivered } from '../records/deliveries.ts'
import { OPERATOR } from '../records/secrets.ts'
import { TEST_TYPE } from '../types.ts'

/**
 * Creates the content of messages. The content is created when a message is sent, so that queue messages do not contain
 * the ids of users.
 */

/**
 * The content of a message to an endpoint: a notification of a ledger, a notification of the deployment, or a test
 * message.
 */
export type Content = Omit<NotificationView, 'type' | 'customer_id' | 'mode'> & {
  readonly type: string
  /** The id of the customer; null for a notification of the deployment. */
  readonly customer_id: string | null
  readonly mode: NotificationView['mode'] | null
}

/** The maximum range of sequence numbers that one statement reads. */
const MAX_SPAN = 200

/**
 * Returns the contents of deliveries, with `contentKey` as the key of each. Omits deliveries whose notification was
 * already deleted.
 */
export async function readContents(
  env: Bindings,
  delivered: readonly Delivered[],
): Promise<ReadonlyMap<string, Content>> {
  const contents = new Map<string, Content>()
  const numbered = delivered.filter(({ sequence }) => sequence > 0)
  const reads = [...Map.groupBy(numbered, ({ owner }) => owner)].flatMap(([owner, own]) =>
    spansOf(own.map(({ sequence }) => sequence)).map((span) => readSpan(env, owner, span)),
  )
  for (const { owner, content } of (await Promise.all(reads)).flat()) {
    contents.set(contentKey({ owner, sequence: content.sequence, notification_id: content.id }), content)
  }
  for (const one of delivered) if (one.sequence === 0) contents.set(contentKey(one), testContent(one))
  return contents
}

export function contentKey({
  owner,
  sequence,
  notification_id,
}: Pick<Delivered, 'owner' | 'sequence' | 'notification_id'>): string {
  return `${owner} ${sequence} ${notification_id}`
}

interface Span {
  readonly first: number
  readonly last: number
}

async function readSpan(
  env: Bindings,
  owner: string,
  { first, last }: Span,
): Promise<{ readonly owner: string; readonly content: Content }[]> {
  const range = { after_sequence: first - 1, to_sequence: last, limit: last - first + 1 }
  const found: readonly Content[] =
    owner === OPERATOR
      ? await readOperatorNotifications(env, range)
      : await readFlushedNotifications(env, ledgerName(owner), range)
  return found.map((content) => ({ owner, content }))
}

function spansOf(sequences: readonly number[]): Span[] {
  const spans: { first: number; last: number }[] = []
  for (const sequence of sequences.toSorted((a, b) => a - b)) {
    const open = spans.at(-1)
    if (open && sequence - open.first < MAX_SPAN) open.last = sequence
    else spans.push({ first: sequence, last: sequence })
  }
  return spans
}

export function testContent({ owner, webhook_endpoint_id, notification_id, at_ms }: Delivered): Content {
  const ledger = owner === OPERATOR ? { customer_id: null, mode: null } : ledgerName(owner)
  return {
    id: notification_id,
    type: TEST_TYPE,
    timestamp: new Date(at_ms).toISOString(),
    sequence: 0,
    customer_id: ledger.customer_id,
    mode: ledger.mode,
    data: { webhook_endpoint_id },
  }
}
