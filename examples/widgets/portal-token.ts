import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Site {
  /** The base URL of the OpenMonetize Edge API. */
  readonly meter: string
  /** An API key with the scopes `portal:write`, `credits:write` and `credits:read`. It never leaves the backend. */
  readonly api_key: string
  /** The origin of the site's pages, exactly as browsers send it. */
  readonly origin: string
  readonly token_seconds: number
}

/** The maximum number of credit packs that the page offers. */
const MOST_PACKS = 3

/** Returns a handler that responds to `POST /portal-token` with a token for the user who is signed in. */
export function portalTokens(site: Site) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Rejects requests from pages of other sites, which would otherwise get a token with this site's cookies.
    if (request.method !== 'POST' || request.headers.origin !== site.origin) return answer(response, 403, {})
    try {
      answer(response, 200, await portalToken(site, userOf(request)))
    } catch (error) {
      console.error('The portal token could not be created:', error)
      answer(response, 502, {})
    }
  }
}

async function portalToken(
  { meter, api_key, origin, token_seconds }: Site,
  user_id: string,
): Promise<object> {
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { Authorization: `Bearer ${api_key}`, 'Content-Type': 'application/json' }
    const answered = await fetch(meter + path, { ...init, headers })
    if (!answered.ok) throw new Error(`${path} returned ${answered.status}: ${await answered.text()}`)
    return answered.json()
  }
  const packs = await ask(`/v1/credit-packs?limit=${MOST_PACKS}`)
  const credit_pack_ids = packs.data.map(({ id }: { readonly id: string }) => id)
  const draft = {
    ...{ user_id, expires_in_seconds: token_seconds, origins: [origin] },
    // The API rejects an empty list of packs.
    ...(credit_pack_ids.length > 0 && { credit_pack_ids }),
  }
  return ask('/v1/portal-tokens', { method: 'POST', body: JSON.stringify(draft) })
}

/**
 * Returns the id of the user who is signed in. A real site reads it from its session, never from a parameter of the
 * request. This example reads a cookie instead, and returns `ada` without one.
 */
function userOf({ headers }: IncomingMessage): string {
  return /(?:^|; )user=([\w-]+)/.exec(headers.cookie ?? '')?.[1] ?? 'ada'
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(body))
}
