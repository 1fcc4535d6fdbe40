import type { Built } from './catalogue.ts'
import type { Difference } from './weigh.ts'

/** Writes the report of a build: models by provider and source, and every price that sources disagree about. */
export function writeReport({ counts, differences, checked }: Built): string {
  const undecided = differences.filter(({ decision }) => decision === undefined)
  const decided = differences.filter(({ decision }) => decision !== undefined)
  return `# The catalogue and its sources

Written by \`npm run catalog\`; not to be edited. [Rating](rating.md#the-catalogue) explains the sources and the rules.

## Models by provider

Models of the token prices, of the media prices alone, of the lists alone and of the overlay alone; and how many models
of the lists have the same prices as the first source.

| provider | models | token prices | media prices | lists | overlay | agreeing |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
${counts
  .map((one) =>
    row([one.id, one.models, one.token_prices, one.media_prices, one.lists, one.overlay, one.agreeing]),
  )
  .join('\n')}
${row(['all', total(counts, 'models'), total(counts, 'token_prices'), total(counts, 'media_prices'), total(counts, 'lists'), total(counts, 'overlay'), total(counts, 'agreeing')])}

## Undecided differences

No rule decides these, so the first source stays. Prices in USD per the quantity of the unit.

${table(undecided, false)}

## Decided differences

${table(decided, true)}

## Prices of other sources

The finished catalogue against token prices that do not feed it, as of the day of their packages: ${checked.compared} prices
compared, ${checked.differences.length} different. The catalogue stays; a person may find out which is right.

${checkTable(checked.differences)}

Models that only they have: ${checked.unknown.length === 0 ? 'none' : checked.unknown.join(', ')}.
`
}

type Counts = Built['counts']

function total(counts: Counts, field: Exclude<keyof Counts[number], 'id'>): number {
  return counts.reduce((sum, one) => sum + one[field], 0)
}

function table(differences: readonly Difference[], decided: boolean): string {
  if (differences.length === 0) return 'None.'
  const heads = [
    'provider',
    'model',
    'unit',
    'first source',
    'list',
    ...(decided ? ['taken', 'because'] : []),
  ]
  const rows = differences.map(({ provider, model, unit, first, list, decision }) =>
    row([provider, model, unit, first, list, ...(decision ? [decision.winner, decision.why] : [])]),
  )
  return [row(heads), row(heads.map(() => '---')), ...rows].join('\n')
}

function checkTable(differences: Built['checked']['differences']): string {
  const heads = ['source', 'provider', 'model', 'unit', 'catalogue', 'theirs']
  const rows = differences.map((one) =>
    row([one.source, one.provider, one.model, one.unit, one.catalogue, one.theirs]),
  )
  return [row(heads), row(heads.map(() => '---')), ...rows].join('\n')
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}
