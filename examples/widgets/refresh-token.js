/**
 * Asks the site's own backend for a token. The widgets call it first, and whenever their token has expired.
 */
export async function refreshToken() {
  const response = await fetch('/portal-token', { method: 'POST' })
  if (!response.ok) throw new Error(`the backend answered ${response.status}`)
  const { token } = await response.json()
  return token
}
