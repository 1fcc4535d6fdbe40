/** The types of the manually maintained overlay (`overlay.ts`). */

/**
 * A rule that multiplies prices by `factor`, which is a decimal or a fraction. The rule applies to token prices, unless
 * `families` names other families of units.
 */
export interface Modifier {
  readonly names: readonly string[]
  readonly factor: string
  readonly models?: readonly string[]
  readonly families?: readonly string[]
  /** The conditions under which the rule applies, in the notation of price periods: `2026-02-05`, `..2026-06-29`. */
  readonly when?: string
}

/**
 * A model with fixed prices or with several price periods. If several periods apply at a time, the last of them is
 * used.
 */
export interface OverlayModel {
  readonly id: string
  /**
   * The match rules of the model in addition to its id. If a source already has the model, both sets of rules apply.
   */
  readonly match?: readonly string[]
  /** The page or report that states the price, if it is not in the `source` list of the provider. */
  readonly source?: string
  readonly prices?: Readonly<Record<string, string>>
  readonly periods?: readonly { readonly when?: string; readonly prices: Readonly<Record<string, string>> }[]
}

/**
 * A change to models that a source has. `prices` has the new prices of single units, which are added to every price
 * period or replace the prices there.
 */
export interface Amendment {
  readonly models: readonly string[]
  readonly source: string
  /**
   * The day from which the prices apply; absent if they always apply. The source's prices before this day do not
   * change.
   */
  readonly from?: string
  readonly prices: Readonly<Record<string, string>>
}

export interface ProviderOverlay {
  readonly source: readonly string[]
  readonly name?: string
  readonly aliases?: readonly string[]
  readonly tiers?: readonly Modifier[]
  readonly regions?: readonly Modifier[]
  /**
   * The minimum quantities that are billed for a request. Each applies to one unit and to the models that its rules
   * match.
   */
  readonly minimums?: readonly {
    readonly unit: string
    readonly quantity: string
    readonly models: readonly string[]
  }[]
  /**
   * Models that replace or complete the models of the sources. Prices are in USD. `per` in `src/pricing/units.ts` is
   * the quantity that a price is for: a million tokens, a thousand searches, one image or one second of video.
   */
  readonly models?: readonly OverlayModel[]
  readonly amendments?: readonly Amendment[]
  /** Additional exact names of the sources' models, by model id. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  /**
   * Match rules that replace the rules of the sources, by model id. They are needed where a source's rule also matches
   * other models.
   */
  readonly rules?: Readonly<Record<string, readonly string[]>>
  /**
   * The makers whose models this provider sells at the makers' prices. These prices apply to models that the provider's
   * own list does not have.
   */
  readonly fallback?: readonly string[]
  /**
   * The regional inference profiles: each is a prefix of model names, and a regular expression for the region names
   * that it covers.
   */
  readonly profiles?: readonly (readonly [prefix: string, regions: string])[]
}
