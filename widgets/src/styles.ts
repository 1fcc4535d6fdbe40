/** The styles of the widgets. A constructed style sheet needs no `unsafe-inline` in the Content-Security-Policy. */

const LIGHT = `
  --_color: var(--om-color, #1a1d23);
  --_muted: var(--om-muted, #545b67);
  --_background: var(--om-background, #ffffff);
  --_border: var(--om-border, #d5d9e0);
  --_accent: var(--om-accent, #2447c6);
  --_accent-color: var(--om-accent-color, #ffffff);
  --_error: var(--om-error, #a8201a);
  color-scheme: light;`

const DARK = `
  --_color: var(--om-color, #eceef2);
  --_muted: var(--om-muted, #a9b1bf);
  --_background: var(--om-background, #16191f);
  --_border: var(--om-border, #363c47);
  --_accent: var(--om-accent, #93aaff);
  --_accent-color: var(--om-accent-color, #10131a);
  --_error: var(--om-error, #ff9d94);
  color-scheme: dark;`

const CSS = `
:host { ${LIGHT}
  display: block; box-sizing: border-box; color: var(--_color);
  font: var(--om-font, 400 1rem/1.45 system-ui, sans-serif); }
:host([hidden]) { display: none; }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { ${DARK} } }
:host([theme="dark"]) { ${DARK} }
* { box-sizing: border-box; margin: 0; }
.card { background: var(--_background); border: 1px solid var(--_border);
  border-radius: var(--om-radius, 0.75rem); padding: var(--om-padding, 1rem); }
.label { color: var(--_muted); font-size: 0.875rem; }
.amount { font-size: 1.75rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
@media (max-width: 30rem) { .amount { font-size: 1.375rem; } }
.note, .loading { color: var(--_muted); font-size: 0.875rem; }
.error { color: var(--_error); font-size: 0.875rem; margin-top: 0.5rem; overflow-wrap: anywhere; }
[hidden] { display: none; }
.status, .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
button { font: inherit; font-weight: 600; cursor: pointer; min-height: 2.75rem; padding: 0.25rem 1rem;
  color: var(--_accent-color); background: var(--_accent); border: 1px solid var(--_accent);
  border-radius: var(--om-button-radius, 0.5rem); }
.error button { margin-inline-start: 0.75rem; color: var(--_accent); background: transparent; }
button[aria-disabled="true"] { cursor: progress; opacity: 0.75; }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
svg { display: block; width: 100%; height: 6rem; margin-top: 0.75rem; overflow: visible; }
.share { height: 0.25rem; margin-top: 0.25rem; }
.bar { fill: var(--_accent); }
.base { stroke: var(--_border); stroke-width: 1; vector-effect: non-scaling-stroke; }
.ends { display: flex; justify-content: space-between; color: var(--_muted); font-size: 0.8125rem; }
summary { cursor: pointer; padding-block: 0.5rem; color: var(--_accent); width: fit-content; }
table { width: 100%; border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
caption { text-align: start; color: var(--_muted); padding-bottom: 0.25rem; }
th, td { text-align: start; padding: 0.25rem 0; border-top: 1px solid var(--_border); font-weight: 400; }
thead th { color: var(--_muted); }
th + th, th + td, td + td { text-align: end; padding-inline-start: 0.75rem; }
tbody th { overflow-wrap: anywhere; }
ul { list-style: none; padding: 0; margin-top: 0.5rem; }
li { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; padding-block: 0.75rem;
  border-top: 1px solid var(--_border); }
li:first-child { border-top: 0; }
.pack { flex: 1 1 10rem; min-width: 0; overflow-wrap: anywhere; }
.pack b { display: block; font-weight: 600; }
@media (prefers-reduced-motion: no-preference) {
  .bar { transition: height 0.2s, y 0.2s; }
}
@media (forced-colors: active) { .bar { fill: CanvasText; } }
`

let sheet: CSSStyleSheet | undefined

export function styles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(CSS)
  }
  return sheet
}
