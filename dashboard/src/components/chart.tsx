import type { VNode } from 'preact'
import { compare, type Decimal, grouped, largest, share, sum } from '../api/decimal.ts'
import { Amount } from './amount.tsx'
import { Table } from './table.tsx'

export interface Series {
  readonly name: string
  /** One amount for each label. */
  readonly values: readonly Decimal[]
}

interface ChartProps {
  readonly title: string
  /** The labels of the axis, such as days; also the first column of the table. */
  readonly labels: readonly string[]
  /** Stacked in this order; at most six have different colours. */
  readonly series: readonly Series[]
  readonly unit?: 'credits' | 'USD'
  readonly axis: string
}

const WIDTH = 720
const HEIGHT = 200
/** The place of the highest amount, above the bars. */
const TOP = 20
/** The first and the last label are always shown, and some of the others. */
const MAX_LABELS = 7

/** Stacked bars, as an image with a text for screen readers and the same amounts in a table behind it. */
export function Chart({ title, labels, series, unit, axis }: ChartProps): VNode {
  const totals = labels.map((_, at) => sum(series.flatMap(({ values }) => values[at] ?? [])))
  const most = largest(totals)
  const step = WIDTH / Math.max(1, labels.length)
  const every = Math.ceil(labels.length / MAX_LABELS)
  if (compare(most, zero) === 0) return <p class="quiet">Nothing was burned in this time.</p>
  const text = `${title}: ${labels.length} bars, the highest ${grouped(most)}${unit === undefined ? '' : ` ${unit}`}. The table below has the amounts.`
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT + 24}`} role="img" aria-label={text}>
        <text class="highest" x="0" y="12">
          {grouped(most)}
        </text>
        <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT + 0.5} y2={HEIGHT + 0.5} />
        {labels.map((label, at) => (
          <g key={label}>
            <Bar at={at} step={step} most={most} series={series} label={label} />
            {at % every === 0 && (
              <text
                x={at === 0 ? 0 : at * step + step / 2}
                y={HEIGHT + 18}
                text-anchor={at === 0 ? 'start' : 'middle'}
              >
                {label}
              </text>
            )}
          </g>
        ))}
      </svg>
      {series.length > 1 && (
        <ul class="legend">
          {series.map(({ name }, index) => (
            <li key={name}>
              <span class={`swatch colour-${index % 6}`} />
              {name}
            </li>
          ))}
        </ul>
      )}
      <details>
        <summary>Show the amounts as a table</summary>
        <Table
          caption={title}
          columns={[
            { title: axis, cell: ([label]) => label },
            ...series.map(({ name, values }) => ({
              title: name,
              numeric: true,
              cell: ([, at]: Place) => <Amount value={values[at] ?? zero} />,
            })),
          ]}
          rows={labels.map((label, at): Place => [label, at])}
          rowKey={([label]) => label}
        />
      </details>
    </figure>
  )
}

type Place = readonly [label: string, at: number]
const zero = sum([])

interface BarProps {
  readonly at: number
  readonly step: number
  readonly most: Decimal
  readonly series: readonly Series[]
  readonly label: string
}

function Bar({ at, step, most, series, label }: BarProps): VNode {
  let top = HEIGHT
  const width = Math.max(1, Math.min(48, step - (step > 6 ? 3 : 1)))
  const parts = series.map(({ name, values }, index) => {
    const value = values[at] ?? zero
    const height = share(value, most) * (HEIGHT - TOP)
    top -= height
    return (
      <rect
        key={name}
        class={`colour-${index % 6}`}
        x={at * step + (step - width) / 2}
        y={top}
        width={width}
        height={height}
      >
        <title>{`${label}, ${name}: ${grouped(value)}`}</title>
      </rect>
    )
  })
  return <>{parts}</>
}

/** Shows the used part of a limit as a bar beside the amounts. */
export function Meter({
  label,
  used,
  limit,
  is_limit = false,
}: {
  readonly label: string
  readonly used: Decimal
  readonly limit: Decimal
  /** Warns near the limit. */
  readonly is_limit?: boolean
}): VNode {
  const part = share(used, limit)
  return (
    <svg
      class="meter"
      viewBox="0 0 100 8"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${grouped(used)} of ${grouped(limit)}`}
    >
      <rect class="track" width="100" height="8" rx="4" />
      <rect class={is_limit && part >= 0.9 ? 'danger' : 'colour-0'} width={part * 100} height="8" rx="4" />
    </svg>
  )
}
