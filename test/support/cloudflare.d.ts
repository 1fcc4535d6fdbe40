/** What `cloudflare:workers` gives to a test: the Worker's bindings, with the migrations, and the Worker itself. */
declare namespace Cloudflare {
  interface Env extends Readonly<import('../../src/config.ts').Bindings> {
    readonly D1_MIGRATIONS: import('cloudflare:test').D1Migration[]
  }
  interface GlobalProps {
    mainModule: typeof import('../../src/index.ts')
    durableNamespaces: 'CustomerLedger'
  }
}
