import { z } from '@hono/zod-openapi'
import type { SubjectKind } from '../db/schema.ts'
import { customerId } from '../http/input/identifiers.ts'
import { metadataInput } from '../http/input/metadata.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { CHANGES_SOMETHING } from '../http/input/validation.ts'
import type { JsonText } from '../ledger/model/json.ts'

/** The profile of a user or team. */
export interface Profile {
  readonly email?: string | undefined
  readonly metadata?: JsonText | undefined
}

/** The changes of a profile. A field that is null is cleared. */
export interface ProfileChange {
  readonly email?: string | null | undefined
  readonly metadata?: JsonText | null | undefined
}

/** The definition of one of the two resources. Both have the same routes, but only users have an email. */
export interface SubjectResource {
  readonly kind: SubjectKind
  readonly name: 'User' | 'Team'
  /** The field and path parameter with the customer's own id. */
  readonly id_field: 'user_id' | 'team_id'
  readonly create: z.ZodType<Profile & { readonly id: string }>
  readonly change: z.ZodType<ProfileChange>
  readonly record: z.ZodType
}

function emailInput() {
  // RFC 5321 allows at most 254 characters.
  return z
    .email('must be an email address')
    .max(254, 'must have at most 254 characters')
    .openapi({ example: 'ann@acme.example' })
}

const changedMetadata = metadataInput().nullable().optional().openapi({
  description:
    'Given keys replace existing keys of the same name. A key with the value null is removed. If the field itself is null, all keys are removed.',
})

const time = z.string().openapi({ format: 'date-time' })
const metadata = z.record(z.string(), z.unknown()).optional()

export const USERS: SubjectResource = {
  kind: 'user',
  name: 'User',
  id_field: 'user_id',
  create: z
    .strictObject({
      user_id: customerId(),
      email: emailInput().optional(),
      metadata: metadataInput().optional(),
    })
    .openapi('NewUser')
    .transform(({ user_id, ...profile }) => ({ id: user_id, ...profile })),
  change: z
    .strictObject({ email: emailInput().nullable().optional(), metadata: changedMetadata })
    .refine(...CHANGES_SOMETHING)
    .openapi('UserChange'),
  record: z
    .object({ user_id: z.string(), email: z.string().optional(), metadata, created_at: time })
    .openapi('User'),
}

export const TEAMS: SubjectResource = {
  kind: 'team',
  name: 'Team',
  id_field: 'team_id',
  create: z
    .strictObject({ team_id: customerId(), metadata: metadataInput().optional() })
    .openapi('NewTeam')
    .transform(({ team_id, ...profile }) => ({ id: team_id, ...profile })),
  change: z
    .strictObject({ metadata: changedMetadata })
    .refine(...CHANGES_SOMETHING)
    .openapi('TeamChange'),
  record: z.object({ team_id: z.string(), metadata, created_at: time }).openapi('Team'),
}

export const subjectsQuery = z.strictObject(pageQuery)

export function subjectsPage({ record }: SubjectResource) {
  return pageSchema(record)
}

export function erasedSchema({ name, id_field }: SubjectResource) {
  return z
    .object({
      [id_field]: z.string(),
      deleted: z.literal(true),
      erased_id: z.string().openapi({
        description: 'The id under which the ledger keeps the amounts and any remaining credits.',
      }),
    })
    .openapi(`Erased${name}`)
}
