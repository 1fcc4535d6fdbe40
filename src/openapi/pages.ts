import { createHash } from 'node:crypto'
import { INFO } from './words.ts'

/** The small pages for people: HTML without scripts and without other resources. */

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}' +
  'code{background:#8882;padding:.1em .3em;border-radius:3px}h2{margin-top:2rem}:root{color-scheme:light dark}'

/** The Content-Security-Policy of a small page. It allows only the page's own style, by its hash. */
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

/** The links of `GET /`. They are relative, so that they also work below a path. */
const LINKS = [
  ['dashboard', 'dashboard/', 'Dashboard'],
  ['documentation', 'docs', 'API reference'],
  ['openapi', 'openapi.json', 'OpenAPI document'],
  ['errors', 'docs/errors', 'Error codes'],
  ['health', 'health', 'Health'],
  ['readiness', 'ready', 'Readiness of all dependencies'],
] as const

/** Returns the answer of `GET /` for programs. */
export function rootJson(): object {
  const links = Object.fromEntries(LINKS.map(([name, path]) => [name, path]))
  return { name: INFO.title, version: INFO.version, links }
}

/** Returns the page of `GET /` for people. */
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

/**
 * Returns `docs/errors.md` as a page. Each code is a heading with an anchor. The `type` of a problem links to this
 * anchor.
 */
export function errorsPage(markdown: string): string {
  const blocks = markdown.trim().split(/\n{2,}/)
  return htmlPage(`${INFO.title}: errors`, blocks.map(block).join('\n'))
}

/**
 * Converts a block of Markdown to HTML. Supports only the forms in `docs/errors.md`: headings, lists, and paragraphs
 * of text, `code`, **bold** and links.
 */
function block(text: string): string {
  const [, level, heading] = /^(#{1,3}) (.+)$/.exec(text) ?? []
  if (level !== undefined && heading !== undefined) {
    return `<h${level.length} id="${escaped(heading)}">${inline(heading)}</h${level.length}>`
  }
  if (!text.startsWith('- ')) return `<p>${inline(text)}</p>`
  const items = text.split(/\n(?=- )/).map((item) => `<li>${inline(item.slice(2))}</li>`)
  return `<ul>${items.join('\n')}</ul>`
}

/**
 * Converts inline Markdown to HTML. Links to other guides become text, because this deployment does not serve them.
 */
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
