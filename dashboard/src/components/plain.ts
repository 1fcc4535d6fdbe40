/** Returns a value of the API as JSON. Writes amounts as numbers, without quotes. */
export function plain(value: unknown): string {
  return JSON.stringify(value).replace(/"(-?\d+(?:\.\d+)?)"/g, '$1')
}
