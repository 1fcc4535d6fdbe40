import { z } from '@hono/zod-openapi'
import { objectId, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'

/**
 * The maximum lifetime of a portal token in seconds. It is one hour, so that a stolen token expires soon. A page must
 * request a new token before the old token expires.
 */
export const MAX_SECONDS = 3_600
const MAX_ORIGINS = 10
const MAX_ORIGIN_CHARS = 255
/** The maximum number of credit packs of a portal token. */
export const MAX_PACKS = 10
/** The hosts for which browsers treat http as secure. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]']
/** The format of the host in an origin. URL parsers also accept hosts with `*` and other characters. */
const HOST = /^[a-z0-9.-]+$|^\[[0-9a-f:]+\]$/

/**
 * The schema of an origin in the form that browsers send (RFC 6454): scheme, host, and the port unless it is the
 * default port of the scheme.
 */
const originInput = z
  .string()
  .max(MAX_ORIGIN_CHARS)
  .superRefine((text, ctx) => {
    const message = originProblem(text)
    if (message !== undefined) ctx.addIssue({ code: 'custom', message })
  })

function originProblem(text: string): string | undefined {
  const url = URL.parse(text)
  const is_local = url !== null && url.protocol === 'http:' && LOCAL_HOSTS.includes(url.hostname)
  if (url === null || !(url.protocol === 'https:' || is_local) || !HOST.test(url.hostname)) {
    return 'must be an https origin without wildcards, or http://localhost:PORT for development'
  }
  return url.origin === text ? undefined : `must be an origin as browsers send it, such as ${url.origin}`
}

export const portalTokenDraft = z
  .strictObject({
    ...subjectFields,
    expires_in_seconds: z
      .int()
      .min(1)
      .max(MAX_SECONDS)
      .openapi({
        description: `The lifetime of the token in seconds, at most ${MAX_SECONDS}. The token stops working earlier if the API key that created it does.`,
      }),
    origins: z
      .array(originInput)
      .min(1)
      .max(MAX_ORIGINS)
      .openapi({
        description: 'The origins of the pages that may use the token.',
        example: ['https://app.example.com'],
      }),
    credit_pack_ids: z
      .array(objectId())
      .min(1)
      .max(MAX_PACKS)
      .refine((ids) => new Set(ids).size === ids.length, 'must not name a credit pack twice')
      .optional()
      .openapi({
        description:
          'The ids of the credit packs that the page may sell for the wallet, in the order in which the page shows them. The API key must then also have the scope `credits:write`.',
      }),
  })
  .superRefine(refuseTwoOwners)
  .superRefine(({ user_id, team_id }, ctx) => {
    if (user_id !== undefined || team_id !== undefined) return
    ctx.addIssue({ code: 'custom', path: ['user_id'], message: 'required unless team_id is present' })
  })
  .openapi('PortalTokenDraft')

export type PortalTokenDraft = z.infer<typeof portalTokenDraft>

export const portalTokenSchema = z
  .object({
    token: z.string().openapi({
      description:
        'The token. Send it as `Authorization: Bearer TOKEN`. It is signed but not encrypted, so everyone who has the token can read its claims.',
    }),
    expires_at: z.string().openapi({ format: 'date-time' }),
  })
  .openapi('PortalToken')
