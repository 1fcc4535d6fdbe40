import type { Environment } from '../../config.ts'
import { isIpv4, isIpv6, isPublicAddress } from './addresses.ts'

/**
 * The policy for URLs that customers supply and that this Worker calls. Such a URL must not lead to this deployment. It
 * must be https and must not lead to the operator's network, except for local hosts in development and the hosts in
 * `private_hosts`. Other host names are also resolved and checked before they are used (`resolve.ts`).
 */
export interface OutboundPolicy {
  readonly environment: Environment
  /**
   * A URL of this deployment. Its host is refused. As a local host in development or a host in `private_hosts`, it is
   * refused only with the same port.
   */
  readonly own_url: string
  /** The hosts in the operator's network that the operator allows, each as `host` or `host:port`. */
  readonly private_hosts: readonly string[]
}

export type CheckedUrl =
  | {
      readonly kind: 'allowed'
      readonly url: URL
      /**
       * The host name, which must be resolved before it is used. Undefined if the host is an IP address, a local host
       * in development, or a host in `private_hosts`.
       */
      readonly name: string | undefined
    }
  /**
   * A refused URL. `message` is an error text without its subject, for example `must be …`. The name of the field
   * precedes it.
   */
  | { readonly kind: 'refused'; readonly message: string }

const MAX_URL_LENGTH = 2_048
/**
 * The pattern of a URL with only accepted characters. Spaces, control characters, backslashes and characters outside
 * ASCII are not accepted, because URL parsers remove or change them.
 */
const PLAIN = /^[\x21-\x5b\x5d-\x7e]+$/
/**
 * The pattern of the local URLs that are allowed in development. The text of the URL must match it, so a URL with
 * another spelling of these hosts does not count as local.
 */
const LOCAL = /^http:\/\/(?:127\.0\.0\.1|localhost):[1-9]\d{0,4}(?=[/?]|$)/
const SECURE = /^https:\/\/[^/]/i
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/** The suffixes of refused host names: names of private networks and single machines, reverse DNS names, Tor names. */
const PRIVATE_SUFFIXES = [
  'localhost',
  'local',
  'localdomain',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'home.arpa',
  'in-addr.arpa',
  'ip6.arpa',
  'onion',
]

const HTTPS_ONLY = 'must be an https URL'
const HTTPS_OR_LOCAL = `${HTTPS_ONLY}, or http://127.0.0.1:PORT or http://localhost:PORT in development`
export const PRIVATE = 'must not lead to a private, loopback or link-local address'
const OWN = 'must not lead to this deployment itself'

export function checkUrl(text: string, policy: OutboundPolicy): CheckedUrl {
  if (text.length > MAX_URL_LENGTH) return refused(`must have at most ${MAX_URL_LENGTH} characters`)
  if (!PLAIN.test(text))
    return refused('must have only printable ASCII characters, without spaces and backslashes')
  if (text.includes('#')) return refused('must not have a fragment')
  const https_only = policy.environment === 'development' ? HTTPS_OR_LOCAL : HTTPS_ONLY
  const url = URL.parse(text)
  if (!url) return refused(https_only)
  if (hasUserInfo(text, url)) return refused('must not contain a user name or a password')
  if (url.port === '0') return refused('must not have port 0')
  const own = URL.parse(policy.own_url)
  const is_local = policy.environment === 'development' && LOCAL.test(text)
  if (is_local || isListed(url, policy.private_hosts)) {
    return own && leadsToSelf(url, own) ? refused(OWN) : { kind: 'allowed', url, name: undefined }
  }
  if (!SECURE.test(text) || url.protocol !== 'https:') return refused(https_only)
  const host = hostOf(url)
  const checked = isIpv4(host) || isIpv6(host) ? checkAddress(url, host) : checkName(url, host)
  return checked.kind === 'allowed' && own && host === hostOf(own) ? refused(OWN) : checked
}

function checkAddress(url: URL, host: string): CheckedUrl {
  return isPublicAddress(host) ? { kind: 'allowed', url, name: undefined } : refused(PRIVATE)
}

function checkName(url: URL, host: string): CheckedUrl {
  const labels = host.split('.')
  if (!labels.every((label) => LABEL.test(label))) return refused('must have a valid host name')
  const is_private = PRIVATE_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`))
  return labels.length < 2 || is_private ? refused(PRIVATE) : { kind: 'allowed', url, name: host }
}

/**
 * Returns whether a URL contains user info. The text is also checked, because the parsed `https://@host` has an empty
 * user name.
 */
function hasUserInfo(text: string, url: URL): boolean {
  const authority = text.replace(/^[a-z]+:\/*/i, '').split(/[/?]/, 1)[0] ?? ''
  return url.username !== '' || url.password !== '' || authority.includes('@')
}

/** Returns the host of a URL without the brackets of an IPv6 address and without a final dot. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}

function isListed(url: URL, private_hosts: readonly string[]): boolean {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return false
  return private_hosts.some((host) => host === url.hostname || host === `${url.hostname}:${portOf(url)}`)
}

/** Returns whether a URL leads to this deployment. All loopback hosts count as the same host. */
function leadsToSelf(url: URL, own: URL): boolean {
  const same_host = hostOf(url) === hostOf(own) || (isLoopback(url) && isLoopback(own))
  return same_host && portOf(url) === portOf(own)
}

function isLoopback(url: URL): boolean {
  const host = hostOf(url)
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function portOf({ port, protocol }: URL): string {
  if (port !== '') return port
  return protocol === 'https:' ? '443' : '80'
}

function refused(message: string): CheckedUrl {
  return { kind: 'refused', message }
}
