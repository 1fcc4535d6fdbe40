import type { ComponentType } from 'preact'

/** A page of the dashboard. Its code is loaded when the page is opened. */
export interface PageEntry {
  readonly path: string
  readonly title: string
  readonly load: () => Promise<{ readonly default: ComponentType }>
}

export interface Section {
  readonly title: string
  readonly pages: readonly PageEntry[]
}

/** The pages of a customer. To add a page, write `pages/name.tsx` with a default export and add a line here. */
export const CUSTOMER_PAGES: readonly Section[] = [
  {
    title: 'Usage',
    pages: [
      { path: '/', title: 'Overview', load: () => import('../pages/overview.tsx') },
      { path: '/usage', title: 'Usage', load: () => import('../pages/usage.tsx') },
      { path: '/events', title: 'Events', load: () => import('../pages/events.tsx') },
    ],
  },
  {
    title: 'Credits',
    pages: [
      { path: '/credits', title: 'Credits', load: () => import('../pages/credits.tsx') },
      {
        path: '/entitlements',
        title: 'Entitlements and limits',
        load: () => import('../pages/entitlements.tsx'),
      },
      { path: '/payments', title: 'Payments', load: () => import('../pages/payments.tsx') },
      { path: '/burn-tables', title: 'Burn tables', load: () => import('../pages/burn-tables.tsx') },
    ],
  },
  {
    title: 'Notifications',
    pages: [
      { path: '/alerts', title: 'Alerts', load: () => import('../pages/alerts.tsx') },
      { path: '/webhooks', title: 'Webhooks', load: () => import('../pages/webhooks.tsx') },
    ],
  },
  {
    title: 'Set-up',
    pages: [
      { path: '/gateway', title: 'Gateway', load: () => import('../pages/gateway.tsx') },
      { path: '/keys', title: 'API keys', load: () => import('../pages/keys.tsx') },
      { path: '/subjects', title: 'Users and teams', load: () => import('../pages/subjects.tsx') },
    ],
  },
]

/** The pages of the operator. */
export const OPERATOR_PAGES: readonly Section[] = [
  {
    title: 'Customers',
    pages: [
      { path: '/', title: 'Customers', load: () => import('../pages/customers.tsx') },
      { path: '/customers/:id', title: 'Customer', load: () => import('../pages/customer.tsx') },
    ],
  },
  {
    title: 'Operations',
    pages: [
      { path: '/health', title: 'Health', load: () => import('../pages/health.tsx') },
      { path: '/prices', title: 'Price feed', load: () => import('../pages/prices.tsx') },
      { path: '/unrated', title: 'Unrated events', load: () => import('../pages/unrated.tsx') },
      { path: '/audit', title: 'Audit log', load: () => import('../pages/audit.tsx') },
    ],
  },
]
