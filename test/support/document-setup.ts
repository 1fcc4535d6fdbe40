import type { TestProject } from 'vitest/node'
import { createApp } from '../../src/app.ts'
import { openApiDocument } from '../../src/openapi/document.ts'

/**
 * Creates the OpenAPI document once and provides it to all test files. `test/openapi/served.test.ts` compares it with
 * the document that the Worker serves.
 */
export default function setup(project: TestProject): void {
  project.provide('openapi', JSON.stringify(openApiDocument(createApp())))
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly openapi: string
  }
}
