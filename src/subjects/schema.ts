import { z } from '@hono/zod-openapi'
import type { SubjectKind } from '../db/schema.ts'
import { customerId } from '../http/input/identifiers.ts'
import { metadataInput } from '../http/input/metadata.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { CHANGES_SOMETHING } from '../http/input/validation.ts'
import type { JsonText } from '../ledger/model/json.ts'

/** The profile of a user or a team. Only users have an email. */
export interface Profile {
  readonly email?: string | undefined
  readonly metadata?: JsonText | undefined
}

/** A change of a profile. A field with the value null is removed. An absent field is unchanged. */
export interface ProfileChange {
  readonly email?: string | null | undefined
  readonly metadata?: JsonText | null | undefined
}

/**
 * The definition of one of the two resources, users and teams. Both resources have the same routes, but only users have
 * an email.
 */
export interface SubjectResource {
  readonly kind: SubjectKind
  readonly name: 'User' | 'Team'
  /** The name of the field and of the path parameter that contain the customer's id for the user or team. */
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
    'The changed keys of the metadata. A key in the request replaces the existing key with the same name. A key with the value null is removed. If `metadata` itself is null, all keys are removed.',
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
        description:
          'The new id under which the ledger keeps the amounts, transactions, events and remaining credits.',
      }),
    })
    .openapi(`Erased${name}`)
}
