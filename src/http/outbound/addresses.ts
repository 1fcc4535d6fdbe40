/**
 * Decides whether an IP address is public. Addresses in IANA's registries of special-purpose addresses are not public,
 * except some that are globally reachable. IPv6 addresses that contain an IPv4 address (6to4, Teredo, NAT64 with the
 * prefix 64:ff9b::/96, IPv4-mapped) and multicast addresses are not public either.
 */

/** The IPv4 prefixes that are not public, each with its first address and its length in bits. */
const SPECIAL_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  // Multicast, reserved and broadcast addresses.
  ['224.0.0.0', 3],
] as const

/** The prefixes within 2000::/3 that are not public. Addresses outside 2000::/3 are never public. */
const SPECIAL_IPV6 = [
  // Addresses for protocols, such as Teredo and ORCHID.
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/

/** Returns whether a text is an IPv4 address that consists of four decimal numbers. */
export function isIpv4(text: string): boolean {
  return ipv4(text) !== undefined
}

/** Returns whether a text is an IPv6 address, without brackets. */
export function isIpv6(text: string): boolean {
  return ipv6(text) !== undefined
}

/** Returns whether an IP address is public. Returns false for a text that is not an IP address. */
export function isPublicAddress(text: string): boolean {
  const v4 = ipv4(text)
  if (v4 !== undefined)
    return !SPECIAL_IPV4.some(([prefix, bits]) => sharesPrefix(v4, ipv4(prefix), bits, 32))
  const v6 = ipv6(text)
  if (v6 === undefined || v6 >> 125n !== 1n) return false
  return !SPECIAL_IPV6.some(([prefix, bits]) => sharesPrefix(v6, ipv6(prefix), bits, 128))
}

function sharesPrefix(address: bigint, prefix: bigint | undefined, bits: number, of: number): boolean {
  const rest = BigInt(of - bits)
  return prefix !== undefined && address >> rest === prefix >> rest
}

function ipv4(text: string): bigint | undefined {
  const parts = IPV4.exec(text)?.slice(1).map(Number)
  if (!parts?.every((part) => part <= 255)) return undefined
  return parts.reduce((value, part) => value * 256n + BigInt(part), 0n)
}

/**
 * Returns an IPv6 address as a number; undefined if the text is not an IPv6 address. The URL parser of the platform
 * accepts every notation of RFC 4291 and writes only one of them.
 */
function ipv6(text: string): bigint | undefined {
  if (!/^[0-9A-Fa-f:.]{2,45}$/.test(text) || !text.includes(':')) return undefined
  const canonical = URL.parse(`http://[${text}]`)?.hostname.slice(1, -1)
  if (canonical === undefined) return undefined
  const [head = '', tail] = canonical.split('::')
  const before = groups(head)
  const after = groups(tail ?? '')
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const all = [...before, ...Array<bigint>(zeros).fill(0n), ...after]
  return all.reduce((value, group) => value * 65_536n + group, 0n)
}

function groups(text: string): bigint[] {
  return text === '' ? [] : text.split(':').map((group) => BigInt(`0x${group}`))
}
