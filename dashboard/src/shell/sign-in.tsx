import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import type { ApiProblem } from '../api/call.ts'
import { problemOf } from '../api/use-api.ts'
import { Form, Input } from '../components/form.tsx'
import { Problem } from '../components/problem.tsx'
import { access, demo, ended, signIn, signInByAccess } from '../session.ts'

export function SignIn(): VNode {
  const [problem, setProblem] = useState<ApiProblem>()
  const attempt = (begun: Promise<void>) => begun.catch((error: unknown) => setProblem(problemOf(error)))
  const use = (credential: string) => attempt(signIn(credential))
  return (
    <main class="sign-in">
      <h1>OpenMonetize Edge</h1>
      <p class="quiet">
        See the use of your credits, the parts of each charge, and when the credits run out.
      </p>
      {ended.value !== null && (
        <p class="notice" role="status">
          {ended.value}
        </p>
      )}
      <section class="card" aria-label="Sign in">
        <Form label="Sign in" submit="Sign in" onSubmit={({ credential = '' }) => signIn(credential)}>
          <Input
            label="API key or operator token"
            name="credential"
            type="password"
            spellcheck={false}
            maxLength={1000}
            hint="The key is sent once and not stored. The session lasts at most 12 hours. It ends earlier if the key expires or is deleted."
            required
          />
        </Form>
      </section>
      {access.value && (
        <section class="card" aria-label="Cloudflare Access">
          <h2>Cloudflare Access</h2>
          {access.value.email === null ? (
            <p>You cannot sign in with Cloudflare Access: {access.value.problem}</p>
          ) : (
            <button type="button" class="secondary" onClick={() => attempt(signInByAccess())}>
              Sign in as {access.value.email}
            </button>
          )}
        </section>
      )}
      {demo.value && (
        <section class="card" aria-label="Development">
          <h2>This is a development server</h2>
          <div class="actions">
            <button type="button" class="secondary" onClick={() => demo.value && use(demo.value.api_key)}>
              Sign in as the demo customer
            </button>
            <button
              type="button"
              class="secondary"
              onClick={() => demo.value && use(demo.value.operator_token)}
            >
              Sign in as the operator
            </button>
          </div>
        </section>
      )}
      <Problem problem={problem} />
      <p class="quiet">
        <a href="/docs">API reference</a>
      </p>
    </main>
  )
}
