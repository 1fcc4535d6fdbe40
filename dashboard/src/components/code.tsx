import type { VNode } from 'preact'
import { useState } from 'preact/hooks'

/** A block of code with a button to copy it. */
export function Code({ label, text }: { readonly label: string; readonly text: string }): VNode {
  const [state, setState] = useState<'' | 'Copied' | 'Select the text and copy it'>('')
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setState('Copied'),
      () => setState('Select the text and copy it'),
    )
  return (
    <div class="code">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for form controls, and a section would be a landmark */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be focusable (WCAG 2.1.1) */}
      <div class="scroll" role="group" tabIndex={0} aria-label={label}>
        <pre>
          <code>{text}</code>
        </pre>
      </div>
      <button type="button" class="secondary" onClick={copy}>
        Copy<span class="hidden"> {label}</span>
      </button>
      <span class="quiet" role="status">
        {state}
      </span>
    </div>
  )
}

/** Returns a text in quotes for a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Returns a curl command that sends an event with an API key. */
export function firstEvent(key: string): string {
  const body =
    '{"event_type":"TOKEN_USAGE","feature_id":"chat","provider":"OPENAI","model":"gpt-4o","input_tokens":1000,"output_tokens":500}'
  return `curl ${location.origin}/v1/events/ingest \\
  -H ${quoted(`Authorization: Bearer ${key}`)} \\
  -H 'Content-Type: application/json' \\
  -d ${quoted(body)}`
}
