/**
 * Returns a new portal token from the site's backend. The widgets call this function when they start and whenever their
 * token has expired.
 */
export async function refreshToken() {
  const response = await fetch('/portal-token', { method: 'POST' })
  if (!response.ok) throw new Error(`the backend returned ${response.status} instead of a portal token`)
  const { token } = await response.json()
  return token
}
