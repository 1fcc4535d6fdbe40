/** The test's view of `cloudflare:workers`: the Worker's bindings, the migrations, and the Worker itself. */
declare namespace Cloudflare {
  interface Env extends Readonly<import('../../src/bindings.ts').Bindings> {
    /** The platform's limiter, of 3 a minute. */
    readonly LIMIT_OF_3: RateLimit
    readonly D1_MIGRATIONS: import('cloudflare:test').D1Migration[]
  }
  interface GlobalProps {
    mainModule: typeof import('../../src/index.ts')
    durableNamespaces: 'CustomerLedger'
  }
}
