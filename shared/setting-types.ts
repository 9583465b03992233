import { resolve } from 'node:path'
import * as z from 'zod'
import { parseDuration } from './duration.ts'

/** How the text of a setting becomes its value. */
export interface ValueType<T> {
  /** One word for help and tables, for instance `PORT`; empty for a switch, which stands alone. */
  name: string
  /** What would be right, as it follows "give": `a port, 0 to 65535`. */
  expects: string
  schema: z.ZodType<T, string>
}

/** A type from a function that returns undefined, or throws, for a text that is not right. */
export function valueType<T>(name: string, expects: string, read: (text: string) => T | undefined): ValueType<T> {
  const schema = z.string().transform((text, context): T => {
    const value = attempt(read, text)
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: expects })
    return z.NEVER
  })
  return { name, expects, schema }
}

function attempt<T>(read: (text: string) => T | undefined, text: string): T | undefined {
  try {
    return read(text)
  } catch {
    return undefined
  }
}

/** Any text but the empty one. */
export const text = valueType('TEXT', 'a text that is not empty', (value) => value || undefined)

/** A TCP port; 0 lets the system choose a free one. */
export const port = valueType('PORT', 'a port, 0 to 65535', readPort)

/** Milliseconds. */
export const duration = valueType('DURATION', 'a duration such as 30s, 1h30m or 7d', parseDuration)

/** Milliseconds, more than none. */
export const interval = valueType(
  'DURATION',
  'a duration above 0, such as 30s or 5m',
  (value) => parseDuration(value) || undefined,
)

/** A number of bytes: `4096`, `64Ki`, `10M`. */
export const bytes = valueType('BYTES', 'a number of bytes such as 4096, 64Ki, 10M or 1Gi', readBytes)

/** A number of bytes above 0, or `off`, which is null. */
export const bytesOrOff = valueType('BYTES', 'a number of bytes such as 10M or 1Gi, or off', (value) =>
  value === 'off' ? null : readBytes(value) || undefined,
)

/** On or off. */
export const flag = valueType('', 'true or false', (value) => ({ true: true, false: false })[value])

/** The path of a file or folder; a relative one counts from the folder that the program was started in. */
export const path = valueType('PATH', 'the path of a file or folder', (value) => (value ? resolve(value) : undefined))

/** A name or address to listen on or connect to. */
export const host = valueType('HOST', 'a host name or an IP address', readHost)

export interface Address {
  host: string
  port: number
}

/** A host and a port: `127.0.0.1:9091`, `[::1]:9091`. */
export const address = valueType('HOST:PORT', 'host:port, such as 127.0.0.1:9091', readAddress)

/** A host and a port, or `off`, which is null. */
export const addressOrOff = valueType('HOST:PORT', 'host:port, such as 127.0.0.1:9091, or off', (value) =>
  value === 'off' ? null : readAddress(value),
)

/** A URL with one of `protocols` (`mqtt:`, …), normalised, without a slash at its end. It is logged: no password in it. */
export function url(protocols: readonly string[]): ValueType<string> {
  const forms = protocols.map((protocol) => `${protocol}//host:port`).join(' or ')
  return valueType('URL', forms, (value) => {
    const parsed = new URL(value)
    const right = protocols.includes(parsed.protocol) && parsed.hostname !== '' && !parsed.username && !parsed.password
    return right ? parsed.href.replace(/\/$/, '') : undefined
  })
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): ValueType<T> {
  return valueType(words.join('|'), `one of ${words.join(', ')}`, (value) => words.find((word) => word === value))
}

/** The levels of `shared/log.ts`. */
export const logLevel = {
  ...oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  name: 'LEVEL',
}

function readPort(value: string): number | undefined {
  return /^\d{1,5}$/.test(value) && Number(value) <= 65535 ? Number(value) : undefined
}

function readHost(value: string): string | undefined {
  const bare = /^\[(.*)\]$/.exec(value)?.[1] ?? value
  return /^[\w.:-]+$/.test(bare) ? bare : undefined
}

function readAddress(value: string): Address | undefined {
  const [, hostText, portText] = /^(.+):(\d+)$/.exec(value) ?? []
  if (hostText === undefined || portText === undefined) return undefined
  // A bare IPv6 address has colons of its own: which of them begins the port cannot be told.
  if (hostText.includes(':') && !hostText.startsWith('[')) return undefined
  const [host, port] = [readHost(hostText), readPort(portText)]
  return host === undefined || port === undefined ? undefined : { host, port }
}

const factors: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
}

function readBytes(value: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi)?$/.exec(value) ?? []
  const total = Math.round(Number(amount) * (factors[unit] ?? Number.NaN))
  return Number.isSafeInteger(total) ? total : undefined
}
