/** The chosen price per image or per second of video, for a size and a quality. */
export interface MediaPriceChoice {
  /** The key of the price in the catalogue; absent for the base price of the model. */
  readonly key?: string
  readonly warning?: string
}

/** The names that callers use for the standard quality. Price lists state the price of this quality without a name. */
const ORDINARY = new Set(['', 'standard', 'auto', 'default', 'normal', 'regular'])

/** The sizes that are assumed for a request without a size, if the price of its quality depends on the size. */
const USUAL_SIZES = ['1024x1024', '1k']

/**
 * Chooses a price by size and quality. Looks up the price of `quality-size` first, then the price of `size`, and then
 * uses the base price. For a request without a size, also looks up the price of `quality` alone. Adds a warning if the
 * price list does not contain the requested size or quality. A size in pixels also matches a price class (`1K`, `2K`).
 * Providers define these classes by the number of pixels, for any aspect ratio.
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
      warning: `There is no price for quality ${wantedQuality}. The usage is billed at the price without a quality.`,
    }
  }
  const chosen = bySize(prices, sizeKeys)
  if (sizeKeys.length === 0 || chosen.key !== undefined) return chosen
  return {
    warning: `There is no price for size ${wantedSize}. The usage is billed at the model's base price.`,
  }
}

/**
 * Returns the choice for a model with only one price. Ignores the requested size and quality and adds a warning about
 * them.
 */
function unused(size: string, quality: string): MediaPriceChoice {
  const ignored = [
    ...(size === '' || size === 'auto' ? [] : [`size ${size}`]),
    ...(ORDINARY.has(quality) ? [] : [`quality ${quality}`]),
  ]
  if (ignored.length === 0) return {}
  return {
    warning: `There is no price for ${ignored.join(' and ')}. The usage is billed at the model's only price.`,
  }
}

function bySize(prices: ReadonlyMap<string, unknown>, sizeKeys: readonly string[]): MediaPriceChoice {
  const key = sizeKeys.find((candidate) => prices.has(candidate))
  return key === undefined ? {} : { key }
}

/**
 * The upper bound of each price class, in pixels. Each bound except the last is between the square sizes of two
 * classes. No size that providers offer is near a bound.
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
