/** The form of the hand-kept overlay: see `overlay.ts`. */

/**
 * Multiplies prices by `factor`, a decimal or a fraction. Applies to token prices, unless `families` names other
 * families of units.
 */
export interface Modifier {
  readonly names: readonly string[]
  readonly factor: string
  readonly models?: readonly string[]
  readonly families?: readonly string[]
  /** Conditions of a price period: `2026-02-05`, `..2026-06-29`. */
  readonly when?: string
}

/** A model with prices of one or several periods. Of the periods in force, the last applies. */
export interface OverlayModel {
  readonly id: string
  /** Rules beside the id. If the first source has the model, they replace its rules. */
  readonly match?: readonly string[]
  /** The page or the report that has the price, if it is not one of the provider's `source`. */
  readonly source?: string
  readonly prices?: Readonly<Record<string, string>>
  readonly periods?: readonly { readonly when?: string; readonly prices: Readonly<Record<string, string>> }[]
}

/**
 * Prices of single units of models that a source has. In every period, they are added, or replace the source's prices.
 */
export interface Amendment {
  readonly models: readonly string[]
  readonly source: string
  /** The day from which it applies, if not always: earlier prices of a source stay unchanged. */
  readonly from?: string
  readonly prices: Readonly<Record<string, string>>
}

export interface ProviderOverlay {
  readonly source: readonly string[]
  readonly name?: string
  readonly aliases?: readonly string[]
  readonly tiers?: readonly Modifier[]
  readonly regions?: readonly Modifier[]
  /** The minimum quantity that one request is billed for, by unit and model rule. */
  readonly minimums?: readonly {
    readonly unit: string
    readonly quantity: string
    readonly models: readonly string[]
  }[]
  /** Prices in USD per the unit's `per`: per million tokens, per image, per second of video. */
  readonly models?: readonly OverlayModel[]
  readonly amendments?: readonly Amendment[]
  /** Further exact names of a source's models, by the id of the model. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  /** Replacements for a source's rules that would give the price to other models. */
  readonly rules?: Readonly<Record<string, readonly string[]>>
  /** Providers whose models are sold at their maker's price, in place of the source's list. */
  readonly fallback?: readonly string[]
  /** Price lists of regions: the prefix in front of a model's name, and a regular expression of region names. */
  readonly profiles?: readonly (readonly [prefix: string, regions: string])[]
}
