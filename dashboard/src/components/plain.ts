/** Returns a part of an API response as JSON text, in which amounts are numbers without quotes. */
export function plain(value: unknown): string {
  return JSON.stringify(value).replace(/"(-?\d+(?:\.\d+)?)"/g, '$1')
}
