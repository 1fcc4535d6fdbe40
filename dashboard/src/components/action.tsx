import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import type { ApiProblem } from '../api/call.ts'
import { problemOf } from '../api/use-api.ts'
import { Problem } from './problem.tsx'

interface ActionProps {
  readonly label: string
  /** The object of the action. Screen readers read it after the label, as in "Delete main key". */
  readonly of?: string
  /** The question that the user must confirm before the action. */
  readonly confirm?: string
  readonly run: () => Promise<void>
}

/** A button that makes one change. With `confirm`, the change requires a second click. */
export function Action({ label, of, confirm, run }: ActionProps): VNode {
  const [state, setState] = useState<'idle' | 'asking' | 'busy'>('idle')
  const [problem, setProblem] = useState<ApiProblem>()
  const act = async () => {
    setState('busy')
    setProblem(undefined)
    try {
      await run()
    } catch (error) {
      setProblem(problemOf(error))
    }
    setState('idle')
  }
  if (state === 'asking') {
    return (
      <span class="actions">
        <span>{confirm}</span>
        <button type="button" class="danger" onClick={act}>
          {label}
        </button>
        <button type="button" class="secondary" onClick={() => setState('idle')}>
          Cancel
        </button>
      </span>
    )
  }
  return (
    <>
      <button
        type="button"
        class="secondary"
        disabled={state === 'busy'}
        aria-busy={state === 'busy'}
        onClick={() => (confirm === undefined ? void act() : setState('asking'))}
      >
        {state === 'busy' ? 'Working…' : label}
        {of !== undefined && <span class="hidden"> {of}</span>}
      </button>
      <Problem problem={problem} />
    </>
  )
}
