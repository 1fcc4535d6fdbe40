/** What one portion may hold. */
export interface PortionLimits {
  readonly bytes: number
  readonly items?: number
}

/** Cuts a list into portions, in order and each as long as the limits allow. An item that is too large stands alone. */
export function portionsOf<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  limits: PortionLimits,
): T[][] {
  const portions: T[][] = []
  let bytes = 0
  for (const item of items) {
    const size = bytesOf(item)
    const open = portions.at(-1)
    if (open && open.length < (limits.items ?? Infinity) && bytes + size <= limits.bytes) {
      open.push(item)
      bytes += size
    } else {
      portions.push([item])
      bytes = size
    }
  }
  return portions
}
