import type { ComponentType } from 'preact'

/** A page of the navigation. Its code is loaded when it is opened. */
export interface PageEntry {
  readonly path: string
  readonly title: string
  readonly load: () => Promise<{ readonly default: ComponentType }>
}

export interface Section {
  readonly title: string
  readonly pages: readonly PageEntry[]
}

/** The pages of a customer. To add one, write `pages/name.tsx` with a default export and add a line here. */
export const CUSTOMER_PAGES: readonly Section[] = [
  {
    title: 'Usage',
    pages: [{ path: '/', title: 'Overview', load: () => import('../pages/overview.tsx') }],
  },
]

/** The pages of the operator. */
export const OPERATOR_PAGES: readonly Section[] = []
