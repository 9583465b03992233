import { isIPv6 } from 'node:net'

/**
 * Who is behind an address, as far as an address tells: an IPv4 address by itself, the first 64 bits of an IPv6 address,
 * which is what one customer has at least. `unknown` for a connection that is gone already.
 */
export function sourceOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const bare = address.replace(/%.*$/, '')
  return isIPv6(bare) ? `${network(bare)}::/64` : bare
}

/** The first four groups, without leading zeros. */
function network(address: string): string {
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - groups.length - behind.length
  const all = [...groups, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...behind]
  return all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
