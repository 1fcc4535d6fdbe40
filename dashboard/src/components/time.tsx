import type { VNode } from 'preact'

/** A moment in the reader's time zone, to the second; the title has it in UTC as the API sent it. */
export function Time({ at, day = false }: { readonly at: string; readonly day?: boolean }): VNode {
  return (
    <time dateTime={at} title={at}>
      {day
        ? dayText(at)
        : new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })}
    </time>
  )
}

/** A day in UTC, as in analytics. */
export function dayText(at: string): string {
  return new Date(at).toLocaleDateString(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' })
}
