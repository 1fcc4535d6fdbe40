import type { IncomingMessage, ServerResponse } from 'node:http'

export interface Site {
  /** The address of the API. */
  readonly meter: string
  /** An API key with the scopes `portal:write`, `credits:write` and `credits:read`. It never leaves the backend. */
  readonly api_key: string
  /** The origin of the site's pages, exactly as browsers send it. */
  readonly origin: string
  readonly token_seconds: number
}

/** Packs that the page offers, side by side. */
const MOST_PACKS = 3

/** Answers `POST /portal-token` with a token for the user who is signed in. */
export function portalTokens(site: Site) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A page of another site must not get a token with the cookies of this one.
    if (request.method !== 'POST' || request.headers.origin !== site.origin) return answer(response, 403, {})
    try {
      answer(response, 200, await portalToken(site, userOf(request)))
    } catch (error) {
      console.error('No portal token:', error)
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
    if (!answered.ok) throw new Error(`${path} answered ${answered.status}: ${await answered.text()}`)
    return answered.json()
  }
  const packs = await ask(`/v1/credit-packs?limit=${MOST_PACKS}`)
  const credit_pack_ids = packs.data.map(({ id }: { readonly id: string }) => id)
  const draft = {
    ...{ user_id, expires_in_seconds: token_seconds, origins: [origin] },
    // A list without packs is not valid.
    ...(credit_pack_ids.length > 0 && { credit_pack_ids }),
  }
  return ask('/v1/portal-tokens', { method: 'POST', body: JSON.stringify(draft) })
}

/** The user of the session. Your site reads it from its own session, never from a parameter of the request. */
function userOf({ headers }: IncomingMessage): string {
  return /(?:^|; )user=([\w-]+)/.exec(headers.cookie ?? '')?.[1] ?? 'ada'
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(body))
}
