import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { bundleOf, WIDGETS } from '../build.ts'

const BUDGET_BYTES = 15 * 1024

describe.each(WIDGETS)('%s', (widget) => {
  it('is one small file that imports nothing and makes no HTML or code of texts', async () => {
    const code = await bundleOf(widget)
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(BUDGET_BYTES)
    expect(code).not.toMatch(/\bimport\s*[("'{*]|\brequire\(/)
    expect(code).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc/,
    )
    // An attribute `style` and an element `style` need `unsafe-inline`.
    expect(code).not.toMatch(/["'`]style["'`]/)
  })
})
