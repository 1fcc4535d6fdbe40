/** The types of the manually maintained overlay (`overlay.ts`). */

/**
 * A multiplication of prices by `factor`, which is a decimal or a fraction. It applies to token prices, unless
 * `families` names other families of units.
 */
export interface Modifier {
  readonly names: readonly string[]
  readonly factor: string
  readonly models?: readonly string[]
  readonly families?: readonly string[]
  /** The conditions of a price period: `2026-02-05`, `..2026-06-29`. */
  readonly when?: string
}

/** A model with the prices of one or several periods. If several periods apply, the last of them is used. */
export interface OverlayModel {
  readonly id: string
  /** The rules in addition to the id. They replace the rules of the first source if it has the model. */
  readonly match?: readonly string[]
  /** The page or report with the price, if it is not a page of the `source` of the provider. */
  readonly source?: string
  readonly prices?: Readonly<Record<string, string>>
  readonly periods?: readonly { readonly when?: string; readonly prices: Readonly<Record<string, string>> }[]
}

/**
 * Prices of single units of models that a source has. They are added in every period, or replace the prices of the
 * source.
 */
export interface Amendment {
  readonly models: readonly string[]
  readonly source: string
  /** The day from which the prices apply; absent if they always apply. Earlier prices of a source do not change. */
  readonly from?: string
  readonly prices: Readonly<Record<string, string>>
}

export interface ProviderOverlay {
  readonly source: readonly string[]
  readonly name?: string
  readonly aliases?: readonly string[]
  readonly tiers?: readonly Modifier[]
  readonly regions?: readonly Modifier[]
  /** The minimum quantity that is billed for a request, by unit and model rule. */
  readonly minimums?: readonly {
    readonly unit: string
    readonly quantity: string
    readonly models: readonly string[]
  }[]
  /** The prices in USD per `per` units: per million tokens, per image, per second of video. */
  readonly models?: readonly OverlayModel[]
  readonly amendments?: readonly Amendment[]
  /** Additional exact names of a source's models, by the id of the model. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  /** Replacements for rules of a source that would also apply the price to other models. */
  readonly rules?: Readonly<Record<string, readonly string[]>>
  /** Providers that sell models at the price of the model's maker. That price replaces the list of the source. */
  readonly fallback?: readonly string[]
  /** The price lists of regions: the prefix before the name of a model, and a regular expression of region names. */
  readonly profiles?: readonly (readonly [prefix: string, regions: string])[]
}
