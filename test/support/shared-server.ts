import { inject } from 'vitest'
import { useRealTime } from './real-time.ts'

useRealTime()

/** The address of the server that the run shares (`shared-server-setup.ts`). */
export async function sharedServer(): Promise<string> {
  const response = await fetch(inject('shared_server_desk'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return text
}
