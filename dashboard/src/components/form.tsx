import type { ComponentChildren, TargetedEvent, TargetedSubmitEvent, VNode } from 'preact'
import { useId, useState } from 'preact/hooks'
import type { ApiProblem } from '../api/call.ts'
import { problemOf } from '../api/use-api.ts'
import { Problem } from './problem.tsx'

interface FormProps {
  readonly label: string
  readonly submit: string
  /** An additional submit button. It is shown first. If the user clicks it, the form also sends `act` as a field. */
  readonly also?: { readonly act: string; readonly label: string }
  /** Sends the change. A retry of the same fields gets the same `key`, so the change is made only once. */
  readonly onSubmit: (fields: Fields, key: string) => Promise<void>
  readonly children: ComponentChildren
  readonly danger?: boolean
  /** Whether the fields keep their values after the form is sent. */
  readonly keeps?: boolean
}

/** The values of a form by field name. Empty fields are omitted. */
export type Fields = Readonly<Record<string, string | undefined>>

/** A form that sends one change. It shows the problem if the API refuses the change, and prevents duplicate changes. */
export function Form({
  label,
  submit,
  also,
  onSubmit,
  children,
  danger = false,
  keeps = false,
}: FormProps): VNode {
  const [problem, setProblem] = useState<ApiProblem>()
  const [is_busy, setBusy] = useState(false)
  const [key, setKey] = useState(() => crypto.randomUUID())
  const [sent, setSent] = useState('')
  const send = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (is_busy) return
    const form = event.currentTarget
    const fields = fieldsOf(form, event.submitter)
    // After a change of the fields, the form sends a new request, which needs a new key.
    const content = JSON.stringify(fields)
    const used = sent === '' || sent === content ? key : crypto.randomUUID()
    setSent(content)
    setKey(used)
    setBusy(true)
    setProblem(undefined)
    try {
      await onSubmit(fields, used)
      setKey(crypto.randomUUID())
      setSent('')
      if (!keeps) form.reset()
    } catch (error) {
      setProblem(problemOf(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form aria-label={label} onSubmit={send} noValidate={false}>
      <div class="fields">{children}</div>
      <Problem problem={problem} />
      <div class="actions">
        {also && (
          <button type="submit" class="secondary" name="act" value={also.act} disabled={is_busy}>
            {also.label}
          </button>
        )}
        <button type="submit" class={danger ? 'danger' : undefined} disabled={is_busy} aria-busy={is_busy}>
          {is_busy ? 'Sending…' : submit}
        </button>
      </div>
    </form>
  )
}

function fieldsOf(form: HTMLFormElement, submitter: HTMLElement | null): Fields {
  const entries = [...new FormData(form, submitter)].map(
    ([name, value]) => [name, String(value).trim()] as const,
  )
  return Object.fromEntries(entries.filter(([, value]) => value !== ''))
}

interface InputProps {
  readonly label: string
  readonly hint?: string
  readonly name: string
  readonly type?: 'date' | 'email' | 'number' | 'password' | 'text'
  readonly value?: string
  readonly required?: boolean
  readonly placeholder?: string
  readonly pattern?: string
  readonly inputMode?: 'decimal' | 'numeric'
  readonly min?: string | number
  readonly max?: string | number
  readonly maxLength?: number
  readonly spellcheck?: boolean
  /** The function that receives the new value after each change. */
  readonly onValue?: (value: string) => void
}

export function Input({ label, hint, onValue, type = 'text', value, ...input }: InputProps): VNode {
  const id = useId()
  const attributes = {
    id,
    autocomplete: 'off',
    ...(hint !== undefined && { 'aria-describedby': `${id}-hint` }),
    ...(onValue && {
      onChange: ({ currentTarget }: TargetedEvent<HTMLInputElement>) => onValue(currentTarget.value),
    }),
    // `defaultValue` keeps a partly typed text when the page renders again; `value` would replace it.
    ...(value !== undefined && { defaultValue: value }),
    ...input,
  } as const
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {inputOf(type, attributes)}
      {hint !== undefined && (
        <span id={`${id}-hint`} class="quiet">
          {hint}
        </span>
      )}
    </div>
  )
}

/** An input for a decimal amount with up to 12 decimal places, the maximum of the API. */
export function AmountInput(props: InputProps): VNode {
  return <Input inputMode="decimal" pattern="-?[0-9]+([.][0-9]{1,12})?" {...props} />
}

type Attributes = Omit<InputProps, 'label' | 'hint' | 'onValue' | 'type' | 'value'> & {
  readonly defaultValue?: string
  readonly id: string
  readonly autocomplete: 'off'
  readonly 'aria-describedby'?: string
  readonly onChange?: (event: TargetedEvent<HTMLInputElement>) => void
}

/** Returns the input element of a type. The type determines which attributes the element may have. */
function inputOf(type: NonNullable<InputProps['type']>, attributes: Attributes): VNode {
  switch (type) {
    case 'date':
      return <input type="date" {...attributes} />
    case 'email':
      return <input type="email" {...attributes} />
    case 'number':
      return <input type="number" {...attributes} />
    case 'password':
      return <input type="password" {...attributes} />
    case 'text':
      return <input type="text" {...attributes} />
  }
}

interface SelectProps {
  readonly label: string
  readonly name: string
  readonly options: readonly (readonly [value: string, text: string])[]
  readonly value?: string
  /** The function that receives the new value after each change. */
  readonly onValue?: (value: string) => void
}

export function Select({ label, name, options, value, onValue }: SelectProps): VNode {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        name={name}
        {...(onValue && { onChange: ({ currentTarget }) => onValue(currentTarget.value) })}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  )
}
