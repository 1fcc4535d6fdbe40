import { h } from './dom.ts'
import { formatNumber, type Json } from './exact.ts'
import { type Feed, feedOf, isTokenOver, type Problem, renew, type State } from './feeds.ts'
import { LABELS, type Labels } from './labels.ts'
import { styles } from './styles.ts'

/**
 * Sent when the token has expired. The event bubbles, and the page may set the attribute or property `token`.
 */
export const TOKEN_EXPIRED = 'om-token-expired'

const MIN_SECONDS = 5
const MAX_SECONDS = 3_600
const PROPERTIES = ['token', 'refreshToken', 'labels'] as const

type RefreshToken = () => Promise<string> | string

/** The common parts of the widgets: token, address, the feed, states and their text. */
export abstract class OmElement extends HTMLElement {
  static readonly observedAttributes: readonly string[] = [
    'token',
    'base-url',
    'locale',
    'label',
    'refresh-seconds',
  ]

  protected abstract readonly default_label: keyof Labels
  /** The default of the seconds between two requests. */
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
  /** A token that never worked is not replaced automatically, because the next token would not work either. */
  private is_replaceable = true
  private feed: Feed | undefined
  private unsubscribe: (() => void) | undefined
  /** The answer, or the empty state, that is shown. */
  private shown_text: string | undefined
  /** Whether the shown content has other words or another language than the page now requests. */
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

  /** The part of the API that the widget shows, with a name that widgets with the same content share. */
  protected abstract resource(): { readonly name: string; readonly path: () => string }
  /** Shows an answer in `content`. */
  protected abstract show(body: Json): void
  /** Whether a problem is an empty state, and its text. */
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

  /** Returns another token when the current one has expired, and the first one if the page sets none. */
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
   * The origin of the API: the attribute, or the origin of this script. Undefined if the origin is not safe.
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

  /** The text for a problem: the API's message, if it answered. */
  protected problemText({ message }: Problem): string {
    return message || this.text('unreachable')
  }

  /**
   * Asks the page to replace an expired token. Returns false if the page does not, or if the last replacement
   * did not work.
   */
  protected async replaceToken(base: string): Promise<boolean> {
    const old = this.own_token
    if (old !== '') this.dispatchEvent(new CustomEvent(TOKEN_EXPIRED, { bubbles: true, composed: true }))
    // The page has set another token in its listener.
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

  /** Begins again after all changes of the current task. */
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
    // Without `refreshToken`, the page sets the token later.
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
      // If the data are the same, the widget does not change, so that the focus and an open table stay.
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

  /** Records the shown content. Returns whether it is new. */
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

  /** A property that the page set before the element was defined hides the accessor. */
  private upgrade(property: (typeof PROPERTIES)[number]): void {
    if (!Object.hasOwn(this, property)) return
    const value = Reflect.get(this, property)
    Reflect.deleteProperty(this, property)
    Reflect.set(this, property, value)
  }
}

/** Browsers treat these hosts as secure over http too. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]']

/** Returns an address to which a token or a user may be sent; undefined for any other. */
export function safeUrl(text: string): URL | undefined {
  try {
    const url = new URL(text)
    const is_local = url.protocol === 'http:' && LOCAL_HOSTS.includes(url.hostname)
    return is_local || url.protocol === 'https:' ? url : undefined
  } catch {
    return undefined
  }
}

/** Defines an element once, although two files may have it. */
export function define(tag: string, element: CustomElementConstructor): void {
  if (!customElements.get(tag)) customElements.define(tag, element)
}
