/** The types of `cloudflare:workers` in tests: the bindings of the Worker, the migrations, and the Worker itself. */
declare namespace Cloudflare {
  interface Env extends Readonly<import('../../src/bindings.ts').Bindings> {
    /** A rate limiter of the platform that allows 3 requests per minute. */
    readonly LIMIT_OF_3: RateLimit
    readonly D1_MIGRATIONS: import('cloudflare:test').D1Migration[]
  }
  interface GlobalProps {
    mainModule: typeof import('../../src/index.ts')
    durableNamespaces: 'CustomerLedger'
  }
}
