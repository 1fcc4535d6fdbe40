import { KEY_PROBLEMS } from '../http/output/responses.ts'

/** What every route of the operator's can answer: a customer's key is looked up, to be told apart from no key at all. */
export const OPERATOR_PROBLEMS = [...KEY_PROBLEMS, 'insufficient_scope'] as const
