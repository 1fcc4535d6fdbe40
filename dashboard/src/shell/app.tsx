import { useSignal } from '@preact/signals'
import type { ComponentType, VNode } from 'preact'
import { useEffect, useErrorBoundary, useState } from 'preact/hooks'
import { problemOf } from '../api/use-api.ts'
import { Problem } from '../components/problem.tsx'
import { href, route } from '../router.ts'
import { readSession, type Session, session, signOut } from '../session.ts'
import { CUSTOMER_PAGES, OPERATOR_PAGES, type PageEntry, type Section } from './navigation.ts'
import { SignIn } from './sign-in.tsx'
import { nextTheme, theme } from './theme.ts'

export function App(): VNode {
  const problem = useSignal<ReturnType<typeof problemOf> | undefined>(undefined)
  const read = () => {
    problem.value = undefined
    readSession().catch((error: unknown) => {
      problem.value = problemOf(error)
    })
  }
  useEffect(read, [])
  const current = session.value
  if (problem.value) {
    return (
      <main class="sign-in">
        <h1>OpenMonetize Edge</h1>
        <Problem problem={problem.value} retry={read} />
      </main>
    )
  }
  if (current === undefined)
    return (
      <p class="loading" role="status">
        Loading…
      </p>
    )
  if (current === null) return <SignIn />
  return <Shell session={current} />
}

function Shell({ session: current }: { readonly session: Session }): VNode {
  const sections = current.kind === 'operator' ? OPERATOR_PAGES : CUSTOMER_PAGES
  const is_open = useSignal(false)
  const { path } = route.value
  useEffect(() => {
    is_open.value = false
  }, [path])
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to content
      </button>
      <header class="bar">
        <button
          type="button"
          class="menu secondary"
          aria-expanded={is_open.value}
          aria-controls="navigation"
          onClick={() => {
            is_open.value = !is_open.value
          }}
        >
          Menu
        </button>
        <a class="brand" href={href('/')}>
          OpenMonetize Edge
        </a>
        <Identity session={current} />
        <button
          type="button"
          class="secondary"
          onClick={nextTheme}
          aria-label={`Theme: ${theme.value}. Change`}
        >
          Theme
        </button>
        <button type="button" class="secondary" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <nav id="navigation" class={is_open.value ? 'open' : ''} aria-label="Pages">
        {sections.map((section) => (
          <NavigationSection key={section.title} section={section} path={path} />
        ))}
      </nav>
      <main id="main" tabIndex={-1} data-path={path}>
        <Outlet key={path} entry={pageOf(sections, path)} />
      </main>
    </div>
  )
}

function Identity({ session: current }: { readonly session: Session }): VNode {
  if (current.kind === 'operator') return <span class="identity">{current.email ?? 'Operator'}</span>
  const { customer, mode } = current
  return (
    <span class="identity">
      {customer.name}
      {mode === 'test' && <span class="badge">test</span>}
      {customer.status !== 'ACTIVE' && (
        <span class="badge danger">{customer.status.toLowerCase()}: read only</span>
      )}
    </span>
  )
}

function NavigationSection({ section, path }: { readonly section: Section; readonly path: string }): VNode {
  return (
    <>
      <h2>{section.title}</h2>
      <ul>
        {section.pages
          .filter(({ path: page }) => !page.includes(':'))
          .map((page) => (
            <li key={page.path}>
              <a href={href(page.path)} aria-current={isOpen(page, path) ? 'page' : undefined}>
                {page.title}
              </a>
            </li>
          ))}
      </ul>
    </>
  )
}

function isOpen({ path: page }: PageEntry, path: string): boolean {
  return page === path || (page !== '/' && path.startsWith(`${page}/`))
}

/** Returns the page of a path. A path with an id, such as `/customers/cust_1`, has the page `/customers/:id`. */
function pageOf(sections: readonly Section[], path: string): PageEntry | undefined {
  const pages = sections.flatMap((section) => section.pages)
  const pattern = path.replace(/^(\/[^/]+)\/.+$/, '$1/:id')
  return pages.find((page) => page.path === path) ?? pages.find((page) => page.path === pattern)
}

function Outlet({ entry }: { readonly entry: PageEntry | undefined }): VNode {
  const [page, setPage] = useState<{ readonly of: PageEntry; readonly View: ComponentType }>()
  const [error, setError] = useState<unknown>()
  const [broken] = useErrorBoundary()
  useEffect(() => {
    entry?.load().then(({ default: View }) => setPage({ of: entry, View }), setError)
  }, [entry])
  if (!entry) {
    return (
      <>
        <h1>Page not found</h1>
        <p>
          <a href={href('/')}>Go to the start page</a>
        </p>
      </>
    )
  }
  // A page can fail to load because a deployment has removed the files of the previous version. A reload gets the new
  // files.
  if (error !== undefined || broken !== undefined) {
    return <Problem problem={problemOf(error ?? broken)} retry={() => location.reload()} />
  }
  if (page?.of !== entry)
    return (
      <p class="loading" role="status">
        Loading…
      </p>
    )
  return <page.View />
}
