import { h, name } from './dom.ts'
import { define, OmElement, safeUrl } from './element.ts'
import { formatNumber, type Json, type JsonObject, listOf, objectOf, parseExact, textOf } from './exact.ts'
import { isTokenOver, type Problem, send } from './feeds.ts'

/**
 * The name of the event that is dispatched before the browser opens the payment page. The event's detail is
 * `{payment_id, url}`. A listener that opens `url` itself, for example in another window, calls `preventDefault`.
 */
export const CHECKOUT = 'om-checkout'

/** The time, in milliseconds, after which the buttons work again if the browser does not leave the page. */
const LEAVES_WITHIN_MS = 15_000

/**
 * The element `<om-top-up>`, which shows the credit packs that the token can buy. Each pack has a button that opens
 * the payment page.
 */
class OmTopUp extends OmElement {
  static override readonly observedAttributes = [...OmElement.observedAttributes, 'success-url', 'cancel-url']

  protected readonly default_label = 'top_up'
  protected readonly default_seconds = 300

  private is_opening = false
  /**
   * The idempotency keys of requests without a response, by pack. A second click sends the same key, so it creates no
   * second checkout.
   */
  private readonly unanswered = new Map<string, string>()
  private readonly onShow = () => this.become(false)

  override connectedCallback(): void {
    super.connectedCallback()
    // The browser's Back button can restore the page with disabled buttons. This listener enables them.
    addEventListener('pageshow', this.onShow)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    removeEventListener('pageshow', this.onShow)
  }

  protected resource() {
    return { name: 'packs', path: () => '/v1/credit-packs' }
  }

  protected show(body: Json): void {
    const packs = listOf(objectOf(body).data).map(objectOf)
    if (packs.length === 0) this.fill(h('p', { class: 'note' }, this.text('no_packs')))
    else this.fill(h('ul', { part: 'packs' }, ...packs.map((pack) => this.pack(pack))))
  }

  private pack(pack: JsonObject): HTMLElement {
    const title = textOf(pack.name)
    const price = formatNumber(textOf(pack.price_usd), this.locale, 'USD')
    const days = textOf(pack.expires_in_days)
    const details = [
      this.text('pack_credits', { amount: this.number(textOf(pack.credits)) }),
      ...(days === '' ? [] : [this.text('pack_days', { days: this.number(days) })]),
    ]
    const buy = this.text('buy', { price })
    // The accessible name begins with the visible text, because speech input finds a button by its visible text.
    const button = h('button', { type: 'button', part: 'buy', 'aria-label': `${buy}: ${title}` }, buy)
    button.addEventListener('click', () => void this.buy(textOf(pack.id)))
    const text = h(
      'div',
      { class: 'pack' },
      h('b', {}, name(title)),
      h('span', { class: 'note' }, details.join(', ')),
    )
    return h('li', { part: 'pack' }, text, button)
  }

  private async buy(credit_pack_id: string): Promise<void> {
    const { base } = this
    if (this.is_opening || base === undefined) return
    this.become(true)
    this.showError('')
    this.announce(this.text('opening'))
    const key = this.unanswered.get(credit_pack_id) ?? crypto.randomUUID()
    this.unanswered.set(credit_pack_id, key)
    const answer = await this.open(base, { credit_pack_id, ...this.returnUrls() }, key)
    // Deletes the key after a response. A request without a response might have created a checkout, so the next click
    // sends the same key.
    if ('text' in answer || answer.code !== '') this.unanswered.delete(credit_pack_id)
    if (!('text' in answer)) this.fail(this.problemText(answer))
    else this.leave(objectOf(parseExact(answer.text)))
  }

  private async open(base: string, body: object, key: string): Promise<{ readonly text: string } | Problem> {
    const url = `${base}/v1/payments/checkout`
    const answer = await send(url, this.token, body, key)
    if ('text' in answer || !isTokenOver(answer) || !(await this.replaceToken(base))) return answer
    return send(url, this.token, body, key)
  }

  private leave(opened: JsonObject): void {
    const url = safeUrl(textOf(opened.url))
    if (!url) {
      this.fail(this.text('bad_payment_page'))
      return
    }
    const detail = { payment_id: textOf(opened.payment_id), url: url.href }
    const event = new CustomEvent(CHECKOUT, { bubbles: true, composed: true, cancelable: true, detail })
    if (!this.dispatchEvent(event)) {
      this.become(false)
      return
    }
    location.assign(url.href)
    setTimeout(() => this.become(false), LEAVES_WITHIN_MS)
  }

  private fail(text: string): void {
    this.become(false)
    this.showError(text)
  }

  /** Sets the state of the buttons. Uses `aria-disabled`, because a button with `disabled` would lose the focus. */
  private become(is_opening: boolean): void {
    this.is_opening = is_opening
    for (const button of this.shadowRoot?.querySelectorAll('li button') ?? []) {
      button.setAttribute('aria-disabled', `${is_opening}`)
    }
  }

  /** Returns the addresses to which Stripe sends the buyer. The default is this page. */
  private returnUrls(): { readonly success_url: string; readonly cancel_url: string } {
    const [here = ''] = location.href.split('#')
    const resolved = (attribute: string) => new URL(this.getAttribute(attribute) ?? here, here).href
    return { success_url: resolved('success-url'), cancel_url: resolved('cancel-url') }
  }
}

define('om-top-up', OmTopUp)
