import { signal } from '@preact/signals'

/**
 * The current page and its parameters. They are in the URL's fragment, such as `#/usage?group_by=model`. One static
 * document serves all pages, and its request does not contain the filters.
 */
export interface Route {
  readonly path: string
  readonly query: URLSearchParams
}

export const route = signal<Route>(read())

window.addEventListener('hashchange', () => {
  route.value = read()
})

function read(): Route {
  const [path = '', query = ''] = location.hash.slice(1).split('?')
  return { path: path === '' ? '/' : path, query: new URLSearchParams(query) }
}

export function href(path: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(name, value)
  const text = search.toString()
  return `#${path}${text === '' ? '' : `?${text}`}`
}

export function navigate(path: string, query?: Readonly<Record<string, string | undefined>>): void {
  location.hash = href(path, query)
}

/** Changes query parameters of the current route without a new entry in the browser's history. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>): void {
  const { path, query } = route.value
  const next = href(path, { ...Object.fromEntries(query), ...changes })
  history.replaceState(null, '', next)
  route.value = read()
}
