import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { bundleOf, WIDGETS } from '../build.ts'

const BUDGET_BYTES = 15 * 1024

describe.each(WIDGETS)('%s', (widget) => {
  it('is one small file that imports nothing and never turns texts into HTML or code', async () => {
    const code = await bundleOf(widget)
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(BUDGET_BYTES)
    expect(code).not.toMatch(/\bimport\s*[("'{*]|\brequire\(/)
    expect(code).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc/,
    )
    // An attribute `style` and an element `style` would require `unsafe-inline`.
    expect(code).not.toMatch(/["'`]style["'`]/)
  })
})

it('docs/widgets.md names every variable, part, attribute, element and event', async () => {
  const code = await bundleOf('om-widgets')
  const guide = readFileSync(path.join(import.meta.dirname, '../../docs/widgets.md'), 'utf8')
  const variables = [...code.matchAll(/var\((--om-[a-z-]+)/g)].map(([, name]) => name)
  const parts = [...code.matchAll(/\bpart:[`"']([a-z]+)/g)].map(([, name]) => name)
  const lists = [...code.matchAll(/observedAttributes=\[([^\]]*)\]/g)].map(([, list = '']) => list)
  const attributes = lists.flatMap((list) =>
    [...list.matchAll(/[`"']([a-z-]+)[`"']/g)].map(([, name]) => name),
  )
  // Finds the names of elements and events.
  const names = [...code.matchAll(/[`"'](om-[a-z-]+)[`"']/g)].map(([, name]) => name)
  expect([variables, parts, attributes, names].map((list) => new Set(list).size)).toEqual([11, 11, 9, 5])
  const unnamed = [...variables, ...parts, ...attributes, ...names].filter(
    (name) => !(guide.includes(`\`${name}\``) || guide.includes(`\`<${name}>\``)),
  )
  expect(unnamed).toEqual([])
})
