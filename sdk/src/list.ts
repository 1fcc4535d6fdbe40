/** One page of a list. It can have fewer rows than `limit` although more pages follow. */
export interface Page<T> {
  readonly data: T[]
  /** The cursor of the next page. Null on the last page; undefined for a list without pages. */
  readonly next_cursor?: string | null
}

/**
 * A list of the API, requested on first use. Await it for its first page, or iterate over it for all rows.
 *
 * @example
 * const { data, next_cursor } = await om.events.list({ limit: 10 })
 * for await (const event of om.events.list({ user_id: 'ada' })) console.log(event.id)
 */
export class List<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #read: (cursor: string | undefined) => Promise<Page<T>>
  #first: Promise<Page<T>> | undefined

  constructor(read: (cursor: string | undefined) => Promise<Page<T>>) {
    this.#read = read
  }

  /** Iterates over the pages. */
  async *pages(): AsyncGenerator<Page<T>, void, void> {
    let page = await this.#firstPage()
    for (;;) {
      yield page
      if (!page.next_cursor) return
      page = await this.#read(page.next_cursor)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for await (const page of this.pages()) yield* page.data
  }

  // biome-ignore lint/suspicious/noThenProperty: a list is awaitable for its first page.
  then<A = Page<T>, B = never>(
    onPage?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#firstPage().then(onPage, onError)
  }

  catch<B = never>(onError?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Page<T> | B> {
    return this.#firstPage().catch(onError)
  }

  finally(onEnd?: (() => void) | null): Promise<Page<T>> {
    return this.#firstPage().finally(onEnd)
  }

  #firstPage(): Promise<Page<T>> {
    this.#first ??= this.#read(undefined)
    return this.#first
  }
}
