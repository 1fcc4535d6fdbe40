import path from 'node:path'
import { unstable_readConfig } from 'wrangler'
import { z } from 'zod'
import { ROOT } from '../local-state.ts'

/** The sections of wrangler.toml that can be deployed. Its top level is for local development. */
export const ENVIRONMENTS = ['development', 'staging', 'production'] as const
export type EnvironmentName = (typeof ENVIRONMENTS)[number]

export const WRANGLER_TOML = path.join(ROOT, 'wrangler.toml')

/** The parts of wrangler's configuration that this file reads. Wrangler exports no usable type for them. */
const sectionSchema = z.object({
  name: z.string(),
  main: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()),
  vars: z.record(z.string(), z.string()),
  kv_namespaces: z.array(z.object({ binding: z.string(), id: z.string() })),
  d1_databases: z.array(
    z.object({
      binding: z.string(),
      database_id: z.string(),
      database_name: z.string(),
      migrations_dir: z.string(),
    }),
  ),
  durable_objects: z.object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) }),
  migrations: z.array(z.unknown()),
  queues: z.object({
    producers: z.array(z.object({ binding: z.string(), queue: z.string() })).optional(),
    consumers: z
      .array(z.looseObject({ queue: z.string(), dead_letter_queue: z.string().optional() }))
      .optional(),
  }),
  ratelimits: z
    .array(
      z.object({
        name: z.string(),
        namespace_id: z.string(),
        simple: z.object({ limit: z.number(), period: z.number() }),
      }),
    )
    .optional(),
  triggers: z.object({ crons: z.array(z.string()).optional() }),
  observability: z.unknown(),
  assets: z.object({ directory: z.string().optional(), binding: z.string().optional() }).optional(),
})

/** The parts of a section of wrangler.toml that the checks compare. */
export interface Section {
  readonly worker: string
  readonly vars: Readonly<Record<string, string>>
  /** The bindings as `kind:NAME`, some with settings, but without the resources that they are bound to. */
  readonly bindings: readonly string[]
  /** The Worker and its resources as `kind:resource`. Two environments must not share a resource. */
  readonly resources: readonly string[]
  readonly kv_ids: readonly string[]
  readonly d1_ids: readonly string[]
  /** All other settings that must be the same in every section. */
  readonly same: unknown
}

/**
 * Reads the section of an environment in the same way as wrangler. Without an environment, reads the top level of
 * wrangler.toml, which the tests and `npm start` use.
 */
export function readSection(environment?: EnvironmentName, file = WRANGLER_TOML): Section {
  const config = sectionSchema.parse(
    unstable_readConfig({ config: file, ...(environment && { env: environment }) }, { hideWarnings: true }),
  )
  const { kv_namespaces, d1_databases, durable_objects, queues, ratelimits = [], assets } = config
  const { producers = [], consumers = [] } = queues
  return {
    worker: config.name,
    vars: config.vars,
    bindings: [
      ...kv_namespaces.map(({ binding }) => `kv:${binding}`),
      ...d1_databases.map(({ binding }) => `d1:${binding}`),
      ...durable_objects.bindings.map(({ name, class_name }) => `object:${name}:${class_name}`),
      ...producers.map(({ binding }) => `queue:${binding}`),
      ...ratelimits.map(({ name, simple }) => `ratelimit:${name}:${simple.limit}/${simple.period}s`),
      ...(assets?.binding ? [`assets:${assets.binding}`] : []),
    ].sort(),
    resources: [
      `worker:${config.name}`,
      ...kv_namespaces.map(({ id }) => `kv:${id}`),
      ...d1_databases.map(({ database_id }) => `d1:${database_id}`),
      ...d1_databases.map(({ database_name }) => `d1 name:${database_name}`),
      ...consumers.map(({ queue }) => `queue:${queue}`),
      ...ratelimits.map(({ namespace_id }) => `ratelimit:${namespace_id}`),
    ],
    kv_ids: kv_namespaces.map(({ id }) => id),
    d1_ids: d1_databases.map(({ database_id }) => database_id),
    same: {
      main: config.main,
      compatibility: [config.compatibility_date, config.compatibility_flags],
      objects: config.migrations,
      crons: config.triggers.crons,
      databases: d1_databases.map(({ migrations_dir }) => migrations_dir),
      consumers: consumers.map(({ queue: _queue, dead_letter_queue, ...rest }) => ({
        ...rest,
        keeps_dead_letters: dead_letter_queue !== undefined,
      })),
      observability: config.observability,
      assets: assets && { directory: assets.directory },
    },
  }
}
