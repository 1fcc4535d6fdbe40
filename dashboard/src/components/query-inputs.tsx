import type { VNode } from 'preact'
import { route, setQuery } from '../router.ts'
import { Input } from './form.tsx'

export type QueryFields = readonly (readonly [name: string, label: string])[]

/** Returns the value of each field from the query of the current page; undefined for a missing field. */
export function queryValues<F extends QueryFields>(fields: F): Record<F[number][0], string | undefined> {
  const { query } = route.value
  return Object.fromEntries(fields.map(([name]) => [name, query.get(name) ?? undefined])) as Record<
    F[number][0],
    string | undefined
  >
}

/** Inputs for fields of the current page's query. A change of an input changes the query. */
export function QueryInputs({ fields }: { readonly fields: QueryFields }): VNode {
  return (
    <>
      {fields.map(([name, label]) => (
        <Input
          key={name}
          label={label}
          name={name}
          value={route.value.query.get(name) ?? ''}
          onValue={(value) => setQuery({ [name]: value })}
        />
      ))}
    </>
  )
}
