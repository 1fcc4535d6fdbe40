/** How many bytes a text takes at rest. */
export function sizeOf(text: string): number {
  return utf8.encode(text).length
}

export const utf8 = new TextEncoder()
