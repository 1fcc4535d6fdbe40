/** A value of the API as text for people: JSON, with the digits of amounts in place of their texts. */
export function plain(value: unknown): string {
  return JSON.stringify(value).replace(/"(-?\d+(?:\.\d+)?)"/g, '$1')
}
