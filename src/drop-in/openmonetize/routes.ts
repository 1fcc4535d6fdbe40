import type { OpenAPIHono } from '@hono/zod-openapi'
import { authenticate } from '../../api-keys/authentication/authenticate.ts'
import type { AppEnv } from '../../http/env.ts'
import { inDialect } from '../../http/output/dialects.ts'
import { createRouter } from '../../http/route.ts'
import type { Dispatch } from '../dispatch.ts'
import { analyticsTranslations } from './analytics.ts'
import { creditTranslations } from './credits.ts'
import { customerTranslations } from './customers.ts'
import { entitlementTranslations } from './entitlements.ts'
import { eventTranslations } from './events.ts'
import { ratingTranslations } from './rating.ts'
import { addTranslation } from './translation.ts'

const TRANSLATIONS = [
  ...eventTranslations,
  ...creditTranslations,
  ...entitlementTranslations,
  ...ratingTranslations,
  ...analyticsTranslations,
  ...customerTranslations,
]

/** Returns the routes of the original OpenMonetize, as its SDK calls them. */
export function openMonetizeRoutes(dispatch: Dispatch): OpenAPIHono<AppEnv> {
  const router = createRouter()
  router.use('/*', inDialect)
  // Adds the routes that require no key, such as registration, before the authentication.
  for (const open of TRANSLATIONS.filter(({ scope }) => scope === undefined)) {
    addTranslation(router, open, dispatch)
  }
  router.use('/*', authenticate)
  for (const secured of TRANSLATIONS.filter(({ scope }) => scope !== undefined)) {
    addTranslation(router, secured, dispatch)
  }
  return router
}
