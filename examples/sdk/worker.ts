/** A Cloudflare Worker. `ctx.waitUntil` keeps it running after the response while the events are sent. */
import { OpenMonetize } from '@openmonetize/edge'

interface Env {
  readonly OPENMONETIZE_KEY: string
  readonly OPENMONETIZE_URL: string
}

interface Context {
  waitUntil(work: Promise<unknown>): void
}

export default {
  async fetch(request: Request, env: Env, ctx: Context): Promise<Response> {
    const om = new OpenMonetize({ apiKey: env.OPENMONETIZE_KEY, baseUrl: env.OPENMONETIZE_URL })
    const { searchParams } = new URL(request.url)
    const user_id = searchParams.get('user') ?? 'anonymous'
    const { allowed, message } = await om.entitlements.check({ feature_id: 'search', user_id })
    if (!allowed) return Response.json({ message }, { status: 402 })
    om.track({ event_type: 'API_CALL', feature_id: 'search', user_id, quantity: 1, unit: 'searches' }, ctx)
    return Response.json({ results: [] })
  },
}
