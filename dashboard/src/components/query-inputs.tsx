import type { VNode } from 'preact'
import { route, setQuery } from '../router.ts'
import { Input } from './form.tsx'

export type QueryFields = readonly (readonly [name: string, label: string])[]

/** Returns the values of fields in the query of a page; undefined for a missing field. */
export function queryValues<F extends QueryFields>(fields: F): Record<F[number][0], string | undefined> {
  const { query } = route.value
  return Object.fromEntries(fields.map(([name]) => [name, query.get(name) ?? undefined])) as Record<
    F[number][0],
    string | undefined
  >
}

/** Inputs that read and write the query of a page. */
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
