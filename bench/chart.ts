/** One chart of the figure. Its axes begin at zero. */
export interface Panel {
  readonly title: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

const WIDTH = 420
const HEIGHT = 180
const MARGIN = { left: 60, right: 20, top: 40, bottom: 30 }
const COLUMNS = 2
const TITLE_HEIGHT = 40
const TICKS = 4

/** Draws panels in two columns as SVG, in colours that are legible on light and dark pages. */
export function chart(title: string, x_name: string, panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / COLUMNS)
  const [width, height] = [COLUMNS * WIDTH, TITLE_HEIGHT + rows * HEIGHT]
  const drawn = panels.map((panel, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, TITLE_HEIGHT + Math.floor(i / COLUMNS) * HEIGHT]
    return `<g transform="translate(${x} ${y})">${drawPanel(panel, x_name)}</g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11" fill="#777">
<title>${title}</title>
<text x="${MARGIN.left}" y="24" font-size="15" font-weight="bold">${title}</text>
${drawn.join('\n')}
</svg>
`
}

function drawPanel({ title, points }: Panel, x_name: string): string {
  const [right, bottom] = [WIDTH - MARGIN.right, HEIGHT - MARGIN.bottom]
  const [x_top, y_top] = [
    Math.max(...points.map(({ x }) => x)),
    roundUp(Math.max(...points.map(({ y }) => y))),
  ]
  const x_of = (x: number) => (MARGIN.left + ((right - MARGIN.left) * x) / x_top).toFixed(1)
  const y_of = (y: number) => (bottom - ((bottom - MARGIN.top) * y) / y_top).toFixed(1)
  const grid = Array.from({ length: TICKS + 1 }, (_, i) => {
    const y = (y_top * i) / TICKS
    return `<path d="M${MARGIN.left} ${y_of(y)}H${right}" stroke="#8884"/><text x="${MARGIN.left - 6}" y="${y_of(y)}" dy="4" text-anchor="end">${y.toLocaleString('en')}</text>`
  })
  const line = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${x_of(x)} ${y_of(y)}`).join('')
  const dots = points.map(({ x, y }) => `<circle cx="${x_of(x)}" cy="${y_of(y)}" r="2.5" fill="#2a78d6"/>`)
  return [
    `<text x="${MARGIN.left}" y="${MARGIN.top - 14}" font-weight="bold">${title}</text>`,
    ...grid,
    `<path d="${line}" fill="none" stroke="#2a78d6" stroke-width="2"/>`,
    ...dots,
    `<text x="${right}" y="${bottom + 18}" text-anchor="end">${x_top.toLocaleString('en')} ${x_name}</text>`,
  ].join('\n')
}

/** Rounds up to 1, 2, 4, 6, 8 or 10 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 6, 8].find((step) => step * power >= value) ?? 10) * power
}
