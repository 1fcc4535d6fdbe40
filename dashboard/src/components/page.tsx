import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Loaded } from '../api/use-api.ts'
import { Problem } from './problem.tsx'

interface PageProps {
  readonly title: string
  /** The purpose of the page, in one or two sentences. */
  readonly lead: string
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}

/**
 * The frame of a page. Its heading receives the focus, so that screen readers announce the page after a navigation.
 */
export function Page({ title, lead, actions, children }: PageProps): VNode {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · OpenMonetize Edge`
    heading.current?.focus({ preventScroll: true })
  }, [title])
  return (
    <>
      <header class="page">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          <p class="quiet">{lead}</p>
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  )
}

interface CardProps {
  readonly title: string
  readonly children: ComponentChildren
  readonly actions?: ComponentChildren
}

export function Card({ title, children, actions }: CardProps): VNode {
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  )
}

/** A card with a name and one value. */
export function Figure({
  name,
  children,
  note,
}: {
  readonly name: string
  readonly children: ComponentChildren
  readonly note?: ComponentChildren
}): VNode {
  return (
    <section class="card figure" aria-label={name}>
      <h2>{name}</h2>
      <p class="value">{children}</p>
      {note !== undefined && <p class="quiet">{note}</p>}
    </section>
  )
}

interface LoadedProps<T> {
  readonly from: Loaded<T>
  readonly children: (data: T) => ComponentChildren
}

/**
 * Shows the loaded response, a loading message or the API's problem. Keeps the last response while the next response
 * loads.
 */
export function Show<T>({ from, children }: LoadedProps<T>): VNode {
  if (from.problem) return <Problem problem={from.problem} retry={from.reload} />
  if (from.data === undefined)
    return (
      <p class="loading" role="status">
        Loading…
      </p>
    )
  return <>{children(from.data)}</>
}

/** The text that replaces an empty list. It explains the next step. */
export function Empty({
  title,
  children,
}: {
  readonly title: string
  readonly children: ComponentChildren
}): VNode {
  return (
    <div class="empty">
      <h3>{title}</h3>
      {children}
    </div>
  )
}
