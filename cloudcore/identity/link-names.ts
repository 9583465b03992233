import { isIP } from 'node:net'
import { type Address, address, host, valueType } from '@kedge/shared/setting-types'
import type { ServerNames } from './certificates.ts'

/** A name under which nodes reach cloudcore; the port where it is not the link's own. */
export type LinkName = { host: string; port: number | undefined }

/** The names and addresses of cloudcore, with commas between them, each with a port where that is another. */
export const linkNames = valueType(
  'HOST[:PORT],…',
  'host names and IP addresses with commas between them, each with :PORT where that is not --link-port',
  (text) => {
    const read = text.split(',').map((each) => readName(each.trim()))
    return read.every((name) => name !== undefined) ? read : undefined
  },
)

function readName(text: string): LinkName | undefined {
  const whole = address.schema.safeParse(text)
  if (whole.success) return whole.data satisfies Address
  const bare = host.schema.safeParse(text)
  return bare.success && (isIP(bare.data) > 0 || !bare.data.includes(':'))
    ? { host: bare.data, port: undefined }
    : undefined
}

export interface Listening {
  /** Where the link listens. */
  host: string
  /** As they were given; empty when none were. */
  names: readonly LinkName[]
  /** Name of this machine, and its addresses. */
  machine: { name: string; addresses: readonly string[] }
}

function isAnywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** All that the certificate of the link names. */
export function serverNames({ host, names, machine }: Listening): ServerNames {
  const own = isAnywhere(host) ? [machine.name.toLowerCase(), ...machine.addresses] : [host]
  const all = [...new Set([...names.map((name) => name.host), 'localhost', '127.0.0.1', '::1', ...own])]
  return { dns: all.filter((name) => isIP(name) === 0), ips: all.filter((name) => isIP(name) > 0) }
}

/** Where boards are told to connect to: the first name that was given, or what this machine is called by others. */
export function advertised({ host, names, machine }: Listening, port: number): string {
  const [first] = names
  const [address] = machine.addresses
  const name = first?.host ?? (isAnywhere(host) ? (address ?? machine.name.toLowerCase()) : host)
  return `${isIP(name) === 6 ? `[${name}]` : name}:${first?.port ?? port}`
}
