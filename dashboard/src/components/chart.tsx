import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { compare, type Decimal, grouped, isZero, largest, share, sum } from '../api/decimal.ts'
import { Amount } from './amount.tsx'
import { Table } from './table.tsx'

export interface Series {
  readonly name: string
  /** One amount for each label. */
  readonly values: readonly Decimal[]
}

interface ChartProps {
  readonly title: string
  /** The labels of the axis, such as days. They are also the first column of the table. */
  readonly labels: readonly string[]
  /** The series, stacked in this order. Six series have different colours; further series repeat them. */
  readonly series: readonly Series[]
  readonly unit?: 'credits' | 'requests'
  readonly axis: string
}

const WIDTH = 720
const HEIGHT = 200
/** The height of the space above the bars, which shows the highest amount as text. */
const TOP = 26
/** The maximum number of bars that are separate elements. With more bars, each series is one shape. */
const MOST_SEPARATE = 120
/** The maximum number of labels on the axis. */
const MAX_LABELS = 7

/** A chart of stacked bars. It has a text for screen readers and a table of the same amounts. */
export function Chart({ title, labels, series, unit, axis }: ChartProps): VNode {
  // The table can have many rows, such as the 720 hours of a month. Therefore, it is rendered only when the user opens
  // it.
  const [is_open, setOpen] = useState(false)
  const totals = labels.map((_, at) => sum(series.flatMap(({ values }) => values[at] ?? [])))
  const most = largest(totals)
  const step = WIDTH / Math.max(1, labels.length)
  const every = Math.ceil(labels.length / MAX_LABELS)
  if (compare(most, zero) === 0) return <p class="quiet">There is no usage in this period.</p>
  const highest = unit === undefined ? grouped(most) : `${grouped(most)} ${unit}`
  const text = `${title}: ${labels.length} ${labels.length === 1 ? 'bar' : 'bars'}, the highest ${highest}. The table below has the amounts.`
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT + 24}`} role="img" aria-label={text}>
        <text class="highest" x="0" y="18">
          {highest}
        </text>
        <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT + 0.5} y2={HEIGHT + 0.5} />
        {labels.length > MOST_SEPARATE ? (
          <Outlines parts={labels.flatMap((_, at) => partsOf(series, at, step, most))} />
        ) : (
          labels.map((label, at) => <Bar key={label} label={label} parts={partsOf(series, at, step, most)} />)
        )}
        {labels.map(
          (label, at) =>
            at % every === 0 && (
              <text
                key={label}
                x={at === 0 ? 0 : at * step + step / 2}
                y={HEIGHT + 18}
                text-anchor={at === 0 ? 'start' : 'middle'}
              >
                {label}
              </text>
            ),
        )}
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
      <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>Show the amounts as a table</summary>
        {is_open && (
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
        )}
      </details>
    </figure>
  )
}

type Place = readonly [label: string, at: number]
const zero = sum([])

function Bar({ label, parts }: { readonly label: string; readonly parts: readonly Part[] }): VNode {
  return (
    <>
      {parts.map(({ index, name, value, ...place }) => (
        <rect key={name} class={`colour-${index % 6}`} {...place}>
          <title>{`${label}, ${name}: ${grouped(value)}`}</title>
        </rect>
      ))}
    </>
  )
}

/** Shows the parts of each series as one shape. Thousands of elements would block the browser for seconds. */
function Outlines({ parts }: { readonly parts: readonly Part[] }): VNode {
  return (
    <>
      {[...Map.groupBy(parts, ({ index }) => index)].map(([index, of_series]) => (
        <path
          key={index}
          class={`colour-${index % 6}`}
          d={of_series.map(({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`).join('')}
        />
      ))}
    </>
  )
}

interface Part {
  readonly index: number
  readonly name: string
  readonly value: Decimal
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/**
 * Returns the parts of one bar, from bottom to top. `at` is the index of the bar's label. Skips parts that are zero.
 */
function partsOf(series: readonly Series[], at: number, step: number, most: Decimal): Part[] {
  const width = Math.max(1, Math.min(48, step - (step > 6 ? 3 : 1)))
  const x = at * step + (step - width) / 2
  let y = HEIGHT
  return series.flatMap(({ name, values }, index) => {
    const value = values[at] ?? zero
    if (isZero(value)) return []
    const height = share(value, most) * (HEIGHT - TOP)
    y -= height
    return { index, name, value, x, y, width, height }
  })
}

/** Shows the used part of a limit as a bar. */
export function Meter({
  label,
  used,
  limit,
  is_limit = false,
}: {
  readonly label: string
  readonly used: Decimal
  readonly limit: Decimal
  /** Whether the bar has the warning colour from 90 % of the limit. */
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
      <rect class="track" width="100" height="8" />
      <rect class={is_limit && part >= 0.9 ? 'danger' : 'colour-0'} width={part * 100} height="8" />
    </svg>
  )
}
