import { z } from '@hono/zod-openapi'
import { HOUR_MS } from '../../time/durations.ts'
import type { OwnRequest } from '../dispatch.ts'
import type { Mapping } from './mapping.ts'

/**
 * Translates a meter query of OpenMeter to a query of `GET /v1/analytics/usage` for one feature. The feature is that of
 * the meter's mapping.
 */

const repeated = () => z.union([z.string(), z.array(z.string())]).optional()

export const meterQuery = z.looseObject({
  from: z
    .string()
    .optional()
    .openapi({ description: 'The start of the range, inclusive. Default: 30 days before `to`.' }),
  to: z.string().optional().openapi({ description: 'The end of the range, exclusive. Default: now.' }),
  windowSize: z.enum(['HOUR', 'DAY', 'MONTH'], 'must be HOUR, DAY or MONTH').optional(),
  windowTimeZone: z.literal('UTC', 'must be UTC').optional(),
  subject: repeated().openapi({ type: 'array', items: { type: 'string' } }),
  groupBy: repeated().openapi({
    type: 'array',
    items: { type: 'string' },
    description: 'The groups: any of `subject`, `model` and `provider`.',
  }),
})

export type MeterQuery = z.infer<typeof meterQuery>

export const meterAnswer = z.object({
  from: z.string(),
  to: z.string(),
  windowSize: z.enum(['HOUR', 'DAY', 'MONTH']).optional(),
  data: z.array(
    z.object({
      value: z.number(),
      windowStart: z.string(),
      windowEnd: z.string(),
      subject: z.string().nullable(),
      groupBy: z.record(z.string(), z.string().nullable()),
    }),
  ),
})

/** The group names of OpenMeter with the names of the same groups in this API. */
const GROUPS: Readonly<Record<string, string>> = { subject: 'user', model: 'model', provider: 'provider' }

/** Finds the mapping whose event type, feature or unit is the name of the meter; undefined if there is none. */
export function meterOf(slug: string, mappings: readonly Mapping[]): Mapping | undefined {
  return (
    mappings.find(({ type }) => type === slug) ??
    mappings.find(({ feature_id }) => feature_id === slug) ??
    mappings.find(({ unit }) => unit === slug)
  )
}

/**
 * Returns the request to `GET /v1/analytics/usage`. If the query names an unsupported group, returns the name of the
 * group.
 */
export function usageQuery(
  query: MeterQuery,
  mapping: Mapping,
): OwnRequest | { readonly unknown_group: string } {
  const groups = listOf(query.groupBy)
  const unknown_group = groups.find((group) => GROUPS[group] === undefined)
  if (unknown_group !== undefined) return { unknown_group }
  const subjects = listOf(query.subject)
  const by = [
    ...(query.windowSize ? [query.windowSize.toLowerCase()] : []),
    ...groups.map((group) => GROUPS[group] ?? group),
  ]
  return {
    method: 'GET',
    path: '/v1/analytics/usage',
    query: {
      from: query.from,
      to: query.to,
      feature: mapping.feature_id,
      ...(subjects.length > 0 && { user: subjects }),
      ...(by.length > 0 && { group_by: by.join(',') }),
    },
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return [value ?? []].flat()
}

export const usageAnswer = z.object({
  data: z.array(
    z.object({
      group: z.record(z.string(), z.string().nullable()),
      units: z.record(z.string(), z.number()),
    }),
  ),
  totals: z.object({ units: z.record(z.string(), z.number()) }),
  from: z.string(),
  to: z.string(),
})

export function meterAnswerOf(
  answer: z.infer<typeof usageAnswer>,
  { windowSize, groupBy, subject }: MeterQuery,
  mapping: Mapping,
): z.infer<typeof meterAnswer> {
  const { from, to } = answer
  const groups = listOf(groupBy)
  const rows = windowSize || groups.length > 0 ? answer.data : [{ group: {}, units: answer.totals.units }]
  const only = listOf(subject).length === 1 ? (listOf(subject)[0] ?? null) : null
  return {
    from,
    to,
    ...(windowSize && { windowSize }),
    data: rows.map(({ group, units }) => {
      const start = windowSize ? (group[windowSize.toLowerCase()] ?? from) : from
      return {
        value: meterValue(units, mapping),
        windowStart: start,
        windowEnd: windowSize ? windowEnd(start, windowSize) : to,
        subject: group.user ?? only,
        groupBy: Object.fromEntries(
          groups
            .filter((name) => name !== 'subject')
            .map((name) => [name, group[GROUPS[name] ?? name] ?? null]),
        ),
      }
    }),
  }
}

function meterValue(units: Readonly<Record<string, number>>, { unit }: Mapping): number {
  if (unit !== undefined) return units[unit] ?? 0
  return (units.input_tokens ?? 0) + (units.output_tokens ?? 0)
}

function windowEnd(start: string, size: 'HOUR' | 'DAY' | 'MONTH'): string {
  const date = new Date(start)
  if (size === 'MONTH') date.setUTCMonth(date.getUTCMonth() + 1)
  else date.setTime(date.getTime() + HOUR_MS * (size === 'DAY' ? 24 : 1))
  return date.toISOString()
}
