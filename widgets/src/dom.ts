/** Creates elements without parsing HTML. Texts of the API and of the page become only text nodes and attributes. */

type Child = Node | string

export function h(
  tag: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElement {
  return filled(document.createElement(tag), attributes, children)
}

export function svg(
  tag: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): SVGElement {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

/** Returns an element for a name, which can be in any script and writing direction. */
export function name(text: string): HTMLElement {
  return h('bdi', {}, text)
}

function filled<E extends Element>(
  element: E,
  attributes: Readonly<Record<string, string>>,
  children: readonly Child[],
): E {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}
