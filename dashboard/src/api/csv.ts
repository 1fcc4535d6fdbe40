/**
 * Returns a value as a CSV cell. Adds an apostrophe before a formula, because a spreadsheet would run a formula in a
 * customer's text.
 */
function cell(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Returns a CSV file (RFC 4180). */
export function csv(header: readonly string[], rows: readonly (readonly string[])[]): Blob {
  const lines = [header, ...rows].map((row) => row.map(cell).join(','))
  return new Blob([`${lines.join('\r\n')}\r\n`], { type: 'text/csv' })
}

export function save(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
