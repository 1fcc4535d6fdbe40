import type { Context } from 'hono'

// An IPv6 address takes 45 characters at most.
const IP = /^[0-9A-Fa-f.:]{2,45}$/

/** The address that a request came from. Cloudflare sets the header itself; elsewhere anybody can, or nobody does. */
export function clientIp(c: Context): string | undefined {
  const ip = c.req.header('CF-Connecting-IP')
  return ip !== undefined && IP.test(ip) ? ip : undefined
}
