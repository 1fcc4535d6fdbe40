import type { ComponentChildren, VNode } from 'preact'

export interface Column<R> {
  readonly title: string
  readonly cell: (row: R) => ComponentChildren
  /** Whether the cells contain numbers, which are aligned at the end of the cell. */
  readonly numeric?: boolean
}

interface TableProps<R> {
  /** The description of the rows for screen readers. It is not visible, because the page already has a heading. */
  readonly caption: string
  readonly columns: readonly Column<R>[]
  readonly rows: readonly R[]
  readonly rowKey: (row: R, index: number) => string
}

/** A table in a box that scrolls sideways on narrow screens. The box is focusable, so the keyboard can scroll it. */
export function Table<R>({ caption, columns, rows, rowKey }: TableProps<R>): VNode {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for form controls, and a section would be a landmark
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be focusable (WCAG 2.1.1)
    <div class="scroll" role="group" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, numeric }) => (
              <th key={title} scope="col" class={numeric ? 'numeric' : undefined}>
                {title === '' ? <span class="hidden">Actions</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={rowKey(row, index)}>
              {columns.map(({ title, cell, numeric }) => (
                <td key={title} class={numeric ? 'numeric' : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
