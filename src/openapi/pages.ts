import { createHash } from 'node:crypto'
import { INFO } from './words.ts'

/** The small pages for people: HTML without scripts, which loads nothing else. */

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}' +
  'code{background:#8882;padding:.1em .3em;border-radius:3px}h2{margin-top:2rem}:root{color-scheme:light dark}'

/** Allows the page's own style by its hash, and nothing else. */
export const SMALL_PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

/** The links of `GET /`, relative so that they also work below a path. */
const LINKS = [
  ['dashboard', 'dashboard/', 'Dashboard'],
  ['documentation', 'docs', 'API reference'],
  ['openapi', 'openapi.json', 'OpenAPI document'],
  ['errors', 'docs/errors', 'Error codes'],
  ['health', 'health', 'Health'],
  ['readiness', 'ready', 'Readiness of all dependencies'],
] as const

/** `GET /` for programs. */
export function rootJson(): object {
  const links = Object.fromEntries(LINKS.map(([name, path]) => [name, path]))
  return { name: INFO.title, version: INFO.version, links }
}

/** `GET /` for people. */
export function rootPage(): string {
  const links = LINKS.map(([, path, label]) => `<li><a href="${path}">${label}</a></li>`)
  return htmlPage(
    INFO.title,
    `<h1>${INFO.title}</h1>
<p>${INFO.summary} This is version ${INFO.version} of its API.</p>
<ul>
${links.join('\n')}
</ul>
<p>Guides and source: <a href="${INFO.contact.url}">${INFO.contact.url}</a></p>`,
  )
}

/** `docs/errors.md` as a page: each code is a heading and an anchor, to which the `type` of a problem links. */
export function errorsPage(markdown: string): string {
  const blocks = markdown.trim().split(/\n{2,}/)
  return htmlPage(`${INFO.title}: errors`, blocks.map(block).join('\n'))
}

/** The Markdown that `docs/errors.md` uses: headings, lists, and paragraphs of text, `code`, **bold** and links. */
function block(text: string): string {
  const [, level, heading] = /^(#{1,3}) (.+)$/.exec(text) ?? []
  if (level !== undefined && heading !== undefined) {
    return `<h${level.length} id="${escaped(heading)}">${inline(heading)}</h${level.length}>`
  }
  if (!text.startsWith('- ')) return `<p>${inline(text)}</p>`
  const items = text.split(/\n(?=- )/).map((item) => `<li>${inline(item.slice(2))}</li>`)
  return `<ul>${items.join('\n')}</ul>`
}

/** Links to other guides become text: only this page is served here. */
function inline(text: string): string {
  return escaped(text)
    .replace(/\[([^\]]+)\]\(#([\w-]+)\)/g, '<a href="#$2">$1</a>')
    .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
