import type { VNode } from 'preact'
import type { ApiProblem } from '../api/call.ts'

/** Shows the message and the code of an API problem, its invalid fields if there are several, and a retry button. */
export function Problem({
  problem,
  retry,
}: {
  readonly problem: ApiProblem | undefined
  readonly retry?: () => void
}): VNode | null {
  if (!problem) return null
  return (
    <div class="problem" role="alert">
      <p>{problem.message}</p>
      {problem.errors.length > 1 && (
        <ul>
          {problem.errors.map(({ path, message }) => (
            <li key={path}>
              <code>{path}</code> {message}
            </li>
          ))}
        </ul>
      )}
      <p class="quiet">
        <code>{problem.code}</code>
        {problem.request_id !== undefined && <> · request {problem.request_id}</>}
      </p>
      {retry && (
        <button type="button" class="secondary" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}
