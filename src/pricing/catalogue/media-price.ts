/** The choice of a price per image or per second of video, by size and quality. */
export interface MediaPriceChoice {
  /** The catalogue's key of the price; undefined for the model's base price. */
  readonly key?: string
  readonly warning?: string
}

/** The names of the standard quality. Price lists have no name for this quality. */
const ORDINARY = new Set(['', 'standard', 'auto', 'default', 'normal', 'regular'])

/** The sizes that are assumed for a request without a size, if the price of its quality depends on the size. */
const USUAL_SIZES = ['1024x1024', '1k']

/**
 * Chooses the price of `quality-size`, then of `size`, then the base price. For a request without a size, `quality`
 * alone is also a key. If the price list does not have the size or quality, the next price in this order applies,
 * with a warning. Sizes in pixels also match price classes (`1K`, `2K`). Providers define these classes by the number
 * of pixels, for any aspect ratio.
 */
export function chooseMediaPrice(
  prices: ReadonlyMap<string, unknown>,
  size: string | undefined,
  quality: string | undefined,
): MediaPriceChoice {
  const wantedSize = (size ?? '').toLowerCase().replace(/[\s×*]+/g, 'x')
  const wantedQuality = (quality ?? '').toLowerCase()
  const sizeKeys = wantedSize === '' || wantedSize === 'auto' ? [] : [wantedSize, sizeClass(wantedSize)]

  if (prices.size === 0) return unused(wantedSize, wantedQuality)
  if (!ORDINARY.has(wantedQuality)) {
    const exact = (sizeKeys.length > 0 ? sizeKeys : USUAL_SIZES).map((key) => `${wantedQuality}-${key}`)
    const found = [...exact, ...(sizeKeys.length === 0 ? [wantedQuality] : [])].find((key) => prices.has(key))
    if (found !== undefined) return { key: found }
    return {
      ...bySize(prices, sizeKeys),
      warning: `no price for quality ${wantedQuality}; billed at the price without a quality`,
    }
  }
  const chosen = bySize(prices, sizeKeys)
  if (sizeKeys.length === 0 || chosen.key !== undefined) return chosen
  return { warning: `no price for size ${wantedSize}; billed at the model's base price` }
}

/** Returns the choice for a model with one price. A requested size or quality is ignored, with a warning. */
function unused(size: string, quality: string): MediaPriceChoice {
  const ignored = [
    ...(size === '' || size === 'auto' ? [] : [`size ${size}`]),
    ...(ORDINARY.has(quality) ? [] : [`quality ${quality}`]),
  ]
  if (ignored.length === 0) return {}
  return { warning: `no price for ${ignored.join(' and ')}; billed at the model's only price` }
}

function bySize(prices: ReadonlyMap<string, unknown>, sizeKeys: readonly string[]): MediaPriceChoice {
  const key = sizeKeys.find((candidate) => prices.has(candidate))
  return key === undefined ? {} : { key }
}

/**
 * The upper bounds of the classes in pixels, midway between their square sizes. The sizes of all aspect ratios are
 * far from the bounds.
 */
const CLASSES: readonly (readonly [name: string, below: number])[] = [
  ['512px', 600_000],
  ['1k', 1_700_000],
  ['1.5k', 3_000_000],
  ['2k', 9_000_000],
  ['4k', 40_000_000],
]

function sizeClass(size: string): string {
  const [, width = '', height = ''] = /^(\d{1,5})x(\d{1,5})$/.exec(size) ?? []
  const pixels = Number(width) * Number(height)
  return CLASSES.find(([, below]) => pixels > 0 && pixels < below)?.[0] ?? size
}
