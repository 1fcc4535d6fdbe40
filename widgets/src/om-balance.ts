import { h } from './dom.ts'
import { define, OmElement } from './element.ts'
import { isZero, type Json, objectOf, textOf } from './exact.ts'
import type { Problem } from './feeds.ts'

/** The element `<om-balance>`, which shows the credits of the token's wallet. */
class OmBalance extends OmElement {
  protected readonly default_label = 'balance'
  protected readonly default_seconds = 30

  protected resource() {
    return { name: 'balance', path: () => '/v1/credits/balance' }
  }

  /** Returns the text for a wallet that does not exist; undefined for other problems. */
  protected override emptyState({ code }: Problem): string | undefined {
    return code === 'not_found' ? this.text('no_wallet') : undefined
  }

  protected show(body: Json): void {
    const { available_balance, reserved_balance, expiring_next } = objectOf(body)
    const amount = this.number(textOf(available_balance))
    const held = textOf(reserved_balance)
    const expiring = objectOf(expiring_next)
    const notes = [
      ...(isZero(held) ? [] : [this.text('held', { amount: this.number(held) })]),
      ...(expiring.at === undefined ? [] : [this.expiry(textOf(expiring.amount), textOf(expiring.at))]),
    ]
    this.fill(
      h('p', { class: 'amount', part: 'amount' }, amount),
      ...notes.map((note) => h('p', { class: 'note', part: 'note' }, note)),
    )
    this.announce(this.text('announced', { amount }))
  }

  private expiry(amount: string, at: string): string {
    const date = this.date(new Date(at), { dateStyle: 'medium' })
    return this.text('expiring', { amount: this.number(amount), date })
  }
}

define('om-balance', OmBalance)
