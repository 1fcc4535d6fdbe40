import { expect } from 'vitest'
import { jsonOf } from './api.ts'

/** Checks that the response is a complete problem document with this status and code, and returns the document. */
export async function expectProblem(
  response: Response,
  status: number,
  code: string,
): Promise<Record<string, unknown>> {
  const body = await jsonOf(response)
  expect({ status: response.status, ...body }).toMatchObject({
    type: expect.stringMatching(new RegExp(`^https://.*#${code}$`)),
    title: expect.any(String),
    status,
    detail: expect.any(String),
    code,
    request_id: response.headers.get('X-Request-Id'),
  })
  expect(response.headers.get('Content-Type')).toBe('application/problem+json')
  return body
}
