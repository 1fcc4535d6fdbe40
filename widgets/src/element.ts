import { h } from './dom.ts'
import { formatNumber, type Json } from './exact.ts'
import { type Feed, feedOf, isTokenOver, type Problem, renew, type State } from './feeds.ts'
import { LABELS, type Labels } from './labels.ts'
import { styles } from './styles.ts'

/**
 * The name of the event for a token that has expired or is refused. The event bubbles. A listener can set the attribute
 * or property `token` to a new token.
 */
export const TOKEN_EXPIRED = 'om-token-expired'

const MIN_SECONDS = 5
const MAX_SECONDS = 3_600
const PROPERTIES = ['token', 'refreshToken', 'labels'] as const

type RefreshToken = () => Promise<string> | string

/** The base class of the widgets. It handles tokens, requests, errors and labels. */
export abstract class OmElement extends HTMLElement {
  static readonly observedAttributes: readonly string[] = [
    'token',
    'base-url',
    'locale',
    'label',
    'refresh-seconds',
  ]

  protected abstract readonly default_label: keyof Labels
  /** The number of seconds between two requests if the page does not set `refresh-seconds`. */
  protected abstract readonly default_seconds: number

  private readonly label = h('p', { class: 'label', id: 'label', part: 'label' })
  private readonly content = h('div', { part: 'content' })
  private readonly error_text = h('span')
  private readonly retry = h('button', { type: 'button' })
  private readonly error = h('p', { class: 'error', part: 'error', hidden: '' }, this.error_text, this.retry)
  private readonly status = h('p', { class: 'status', role: 'status' })

  private own_token = ''
  private refresh: RefreshToken | undefined
  private own_labels: Partial<Labels> = {}
  /**
   * Whether the token can be replaced automatically. To prevent endless replacements, it is false after a replacement
   * until a request ends without a refusal of the token or the user clicks the button.
   */
  private is_replaceable = true
  private feed: Feed | undefined
  private unsubscribe: (() => void) | undefined
  /** The text of the response that is shown, or the shown text of the empty state. */
  private shown_text: string | undefined
  /** Whether the content must be shown again because the page has changed the labels or an attribute. */
  private is_outdated = false
  private restarting = false

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [styles()]
    const card = { class: 'card', part: 'card', role: 'group', 'aria-labelledby': 'label' }
    root.append(h('div', card, this.label, this.content, this.error, this.status))
    this.retry.addEventListener('click', () => this.tryAgain())
  }

  /** Returns the resource to show. Widgets with the same API, token and `name` share their requests. */
  protected abstract resource(): { readonly name: string; readonly path: () => string }
  /** Shows a response in `content`. */
  protected abstract show(body: Json): void
  /**
   * Returns the text of the empty state if a problem means that there is no content; undefined for other problems.
   */
  protected emptyState(_problem: Problem): string | undefined {
    return undefined
  }

  get token(): string {
    return this.own_token
  }

  set token(token: string) {
    const next = String(token ?? '')
    if (next === this.own_token) return
    this.own_token = next
    this.restart()
  }

  /**
   * The function that returns a new token when the current token has expired, or the first token if the page sets
   * none.
   */
  get refreshToken(): RefreshToken | undefined {
    return this.refresh
  }

  set refreshToken(refresh: RefreshToken | undefined) {
    this.refresh = typeof refresh === 'function' ? refresh : undefined
    if (this.own_token === '') this.restart()
  }

  get labels(): Partial<Labels> {
    return this.own_labels
  }

  set labels(labels: Partial<Labels>) {
    this.own_labels = { ...labels }
    this.is_outdated = true
    this.restart()
  }

  connectedCallback(): void {
    for (const property of PROPERTIES) this.upgrade(property)
    this.restart()
  }

  disconnectedCallback(): void {
    this.stop()
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return
    if (name === 'token') {
      this.token = after ?? ''
      return
    }
    this.is_outdated = true
    this.restart()
  }

  /**
   * The origin of the API: the origin of the attribute `base-url`, or of this script if the attribute is absent.
   * Undefined if the origin is not safe.
   */
  protected get base(): string | undefined {
    return safeUrl(this.getAttribute('base-url') ?? import.meta.url)?.origin
  }

  protected get locale(): string | undefined {
    const language = this.getAttribute('locale') ?? this.closest('[lang]')?.getAttribute('lang') ?? ''
    try {
      return Intl.getCanonicalLocales(language)[0]
    } catch {
      return undefined
    }
  }

  protected text(name: keyof Labels, values: Readonly<Record<string, string>> = {}): string {
    const text = this.own_labels[name] ?? LABELS[name]
    return text.replace(/\{(\w+)\}/g, (place, key: string) => values[key] ?? place)
  }

  protected number(text: string): string {
    return formatNumber(text, this.locale)
  }

  protected date(time: Date, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.locale, options).format(time)
  }

  protected fill(...children: readonly (Node | string)[]): void {
    this.content.replaceChildren(...children)
  }

  /** Announces a visible change to screen readers. */
  protected announce(text: string): void {
    if (this.status.textContent !== text) this.status.textContent = text
  }

  protected showError(text: string): void {
    this.error_text.textContent = text
    this.retry.textContent = this.text('retry')
    this.error.hidden = text === ''
    if (text !== '') this.announce(text)
  }

  /** Returns the API's message of a problem, or a label if there is no message. */
  protected problemText({ message }: Problem): string {
    return message || this.text('unreachable')
  }

  /**
   * Requests a new token from the page. Returns false if the page does not return a different token, or if the previous
   * new token did not work.
   */
  protected async replaceToken(base: string): Promise<boolean> {
    const old = this.own_token
    if (old !== '') this.dispatchEvent(new CustomEvent(TOKEN_EXPIRED, { bubbles: true, composed: true }))
    // A listener of the page has set a new token.
    if (this.own_token !== old) return true
    if (!this.refresh || !this.is_replaceable) return false
    try {
      const next = await renew(base, old, this.refresh)
      this.is_replaceable = false
      if (this.own_token === old) this.token = next
      return this.own_token !== old
    } catch {
      return false
    }
  }

  private tryAgain(): void {
    this.showError('')
    this.is_replaceable = true
    if (this.feed && this.feed.state.kind === 'failed' && !isTokenOver(this.feed.state.problem)) {
      this.feed.refresh()
    } else this.restart()
  }

  /** Starts the widget again. Several changes in one task cause only one start. */
  private restart(): void {
    if (this.restarting) return
    this.restarting = true
    queueMicrotask(() => {
      this.restarting = false
      if (this.isConnected) this.start()
    })
  }

  private start(): void {
    this.stop()
    this.label.textContent = this.getAttribute('label') ?? this.text(this.default_label, this.labelValues())
    const { base } = this
    if (this.shown_text === undefined) this.fill(h('p', { class: 'loading' }, this.text('loading')))
    if (base === undefined) this.showError(this.text('bad_base_url'))
    else if (this.own_token === '') void this.firstToken(base)
    else this.follow(base)
  }

  private follow(base: string): void {
    const { name, path } = this.resource()
    this.feed = feedOf(base, this.own_token, name, () => base + path())
    this.unsubscribe = this.feed.subscribe({
      every_ms: 1_000 * this.seconds,
      notify: (state) => this.take(state, base),
    })
  }

  protected labelValues(): Readonly<Record<string, string>> {
    return {}
  }

  private stop(): void {
    this.unsubscribe?.()
    this.unsubscribe = undefined
    this.feed = undefined
  }

  private async firstToken(base: string): Promise<void> {
    // If the page has no `refreshToken`, the widget waits until the page sets a token.
    if (!this.refresh || (await this.replaceToken(base))) return
    this.showError(this.text('no_token'))
  }

  private take(state: State, base: string): void {
    if (state.kind === 'loading') return
    if (state.kind === 'failed' && isTokenOver(state.problem)) {
      void this.replaceOrShow(base, state.problem)
      return
    }
    this.is_replaceable = true
    if (state.kind === 'ready') {
      this.showError('')
      // Keeps the elements if the data are unchanged, so that the focus stays and an open table stays open.
      if (this.isNew(state.text)) this.show(state.body)
      return
    }
    const empty = this.emptyState(state.problem)
    if (empty === undefined) this.problem(state.problem)
    else this.showEmpty(empty)
  }

  private showEmpty(text: string): void {
    this.showError('')
    if (this.isNew(text)) this.fill(h('p', { class: 'note' }, text))
    this.announce(text)
  }

  /** Stores the content to show. Reports whether it must be shown again. */
  private isNew(text: string): boolean {
    const is_new = text !== this.shown_text || this.is_outdated
    this.shown_text = text
    this.is_outdated = false
    return is_new
  }

  private async replaceOrShow(base: string, problem: Problem): Promise<void> {
    const { feed } = this
    const replaced = await this.replaceToken(base)
    if (!replaced && this.feed === feed) this.problem(problem)
  }

  private problem(problem: Problem): void {
    if (this.shown_text === undefined) this.fill()
    this.showError(this.problemText(problem))
  }

  private get seconds(): number {
    const wanted = Number(this.getAttribute('refresh-seconds') ?? this.default_seconds)
    return Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, wanted || this.default_seconds))
  }

  /**
   * Sets a property again through its accessor. If a page sets the property before the element is defined, the page's
   * value hides the accessor.
   */
  private upgrade(property: (typeof PROPERTIES)[number]): void {
    if (!Object.hasOwn(this, property)) return
    const value = Reflect.get(this, property)
    Reflect.deleteProperty(this, property)
    Reflect.set(this, property, value)
  }
}

/** Hosts that browsers treat as secure even over http. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]']

/**
 * Returns the URL of an https or local address. Returns undefined for other addresses, which must not receive a
 * token.
 */
export function safeUrl(text: string): URL | undefined {
  try {
    const url = new URL(text)
    const is_local = url.protocol === 'http:' && LOCAL_HOSTS.includes(url.hostname)
    return is_local || url.protocol === 'https:' ? url : undefined
  } catch {
    return undefined
  }
}

/** Defines an element, unless another file has already defined it. */
export function define(tag: string, element: CustomElementConstructor): void {
  if (!customElements.get(tag)) customElements.define(tag, element)
}
