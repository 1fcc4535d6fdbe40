import { createMiddleware } from 'hono/factory'
import { newId } from '../../ids.ts'
import type { AppEnv } from '../env.ts'

const ACCEPTED = /^[A-Za-z0-9._-]{1,64}$/

/** Gives every request an id, the caller's if it can stand in a log line, and puts it on every response. */
export const requestId = createMiddleware<AppEnv>(async (c, next) => {
  const offered = c.req.header('X-Request-Id')
  const id = offered !== undefined && ACCEPTED.test(offered) ? offered : newId('req')
  c.set('request_id', id)
  await next()
  c.res.headers.set('X-Request-Id', id)
})
