/** A parameter of a request to Stripe. Undefined parameters are left out. */
export type FormValue = string | number | boolean | undefined | FormFields | readonly FormValue[]
export interface FormFields {
  readonly [name: string]: FormValue
}

/** Encodes parameters in the form that Stripe reads: `line_items[0][price_data][currency]=usd`. */
export function encodeForm(fields: FormFields): string {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) append(form, name, value)
  return form.toString()
}

function append(form: URLSearchParams, name: string, value: FormValue): void {
  if (value === undefined) return
  if (typeof value !== 'object') {
    form.append(name, String(value))
    return
  }
  for (const [key, item] of Object.entries(value)) append(form, `${name}[${key}]`, item)
}
