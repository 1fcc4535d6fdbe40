import { inject } from 'vitest'
import { useRealTime } from './real-time.ts'

useRealTime()

/**
 * Returns the URL of the server that all test files share, and starts the server if necessary
 * (`shared-server-setup.ts`).
 */
export async function sharedServer(): Promise<string> {
  const response = await fetch(inject('shared_server_desk'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return text
}
