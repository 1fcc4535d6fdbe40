import { z } from '@hono/zod-openapi'
import { objectId, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'

/**
 * The maximum life of a token: one hour, so that a stolen token soon expires. A page requests another token before the
 * end.
 */
export const MAX_SECONDS = 3_600
const MAX_ORIGINS = 10
const MAX_ORIGIN_CHARS = 255
/** The number of packs that a page can offer side by side. */
export const MAX_PACKS = 10
/** Browsers treat these hosts as secure even over http. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]']
/** URL parsers also accept `*` and other characters. */
const HOST = /^[a-z0-9.-]+$|^\[[0-9a-f:]+\]$/

/** An origin exactly as browsers send it (RFC 6454): scheme, host and a port other than the scheme's own. */
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
    return 'must be https://HOST, or http://localhost:PORT for development'
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
        description: `The time in which the token works: at most ${MAX_SECONDS} seconds, and never longer than the API key.`,
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
          'The credit packs that the page may sell for this wallet, in the order in which it offers them. Requires the scope `credits:write` too.',
      }),
  })
  .superRefine(refuseTwoOwners)
  .superRefine(({ user_id, team_id }, ctx) => {
    if (user_id !== undefined || team_id !== undefined) return
    ctx.addIssue({ code: 'custom', path: ['user_id'], message: 'give user_id or team_id' })
  })
  .openapi('PortalTokenDraft')

export type PortalTokenDraft = z.infer<typeof portalTokenDraft>

export const portalTokenSchema = z
  .object({
    token: z.string().openapi({
      description: 'The token for `Authorization: Bearer`. Everyone who has the token can read its content.',
    }),
    expires_at: z.string().openapi({ format: 'date-time' }),
  })
  .openapi('PortalToken')
