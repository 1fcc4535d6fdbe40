import type { SubjectKind } from '../../db/schema.ts'
import type { Mentions } from '../../projection/read/subjects.ts'
import type { Entry, HoldRecord } from '../model/journal.ts'
import type { WalletOwner } from '../model/vocabulary.ts'

export interface NewWallet {
  readonly wallet_number: number
  readonly owner: WalletOwner
  readonly at_ms: number
}

/** The users and teams that new wallets, events and holds name, in the order in which they were first mentioned. */
export function mentionsOf(
  wallets: readonly NewWallet[],
  entries: readonly Entry[],
  holds: readonly HoldRecord[],
): Mentions {
  const mentions = { user: new Map<string, number>(), team: new Map<string, number>() }
  const mention = (kind: SubjectKind, id: string | undefined, at_ms: number) => {
    if (id !== undefined && at_ms < (mentions[kind].get(id) ?? Number.POSITIVE_INFINITY)) {
      mentions[kind].set(id, at_ms)
    }
  }
  for (const { owner, at_ms } of wallets) if (owner.kind !== 'customer') mention(owner.kind, owner.id, at_ms)
  for (const { event, captured, reverses, at_ms } of entries) {
    for (const used of [event, captured, reverses]) {
      mention('user', used?.user_id, at_ms)
      mention('team', used?.team_id, at_ms)
    }
  }
  for (const { hold, at_ms } of holds) {
    mention('user', hold.user_id, at_ms)
    mention('team', hold.team_id, at_ms)
  }
  return { user: byTime(mentions.user), team: byTime(mentions.team) }
}

function byTime(mentions: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...mentions].sort(([, a], [, b]) => a - b))
}
