/** The price per image or per second of video that a size and a quality select. */
export interface MediaPriceChoice {
  /** The catalogue's key of the price; undefined for the model's base price. */
  readonly key?: string
  readonly warning?: string
}

/** Names of the ordinary quality, which providers quote without a name. */
const ORDINARY = new Set(['', 'standard', 'auto', 'default', 'normal', 'regular'])

/** The size assumed for a request without one, if its quality is priced by size. */
const USUAL_SIZES = ['1024x1024', '1k']

/**
 * Chooses `quality-size`, then `size`, then the base price. A size or quality that the price list does not have
 * is billed at the next best price, with a warning. Sizes in pixels also match price classes (`1K`, `2K`), which
 * providers define by the number of pixels, for any aspect ratio.
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
      warning: `no image price for quality ${wantedQuality}; billed without it`,
    }
  }
  const chosen = bySize(prices, sizeKeys)
  if (sizeKeys.length === 0 || chosen.key !== undefined) return chosen
  return { warning: `no image price for size ${wantedSize}; billed at the model's base price` }
}

/** A model with one price: a requested size or quality is ignored. */
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

/** Upper bounds in pixels, midway between the square sizes of the classes; all aspect ratios are well within them. */
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
