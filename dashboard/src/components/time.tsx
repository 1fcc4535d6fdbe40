import type { VNode } from 'preact'

/** A time in the user's time zone, or with `day` only its day in UTC. The title has the UTC time of the API. */
export function Time({ at, day = false }: { readonly at: string; readonly day?: boolean }): VNode {
  return (
    <time dateTime={at} title={at}>
      {day
        ? dayText(at)
        : new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })}
    </time>
  )
}

/** Returns the UTC day of a time, because analytics count by UTC days. */
export function dayText(at: string): string {
  return new Date(at).toLocaleDateString(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' })
}
