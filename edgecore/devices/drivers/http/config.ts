import type { DeviceProperty } from '@kedge/shared/devices'
import * as z from 'zod'
import { milliseconds, parseConfig, propertiesOf } from '../config.ts'
import { ConfigError, type DriverDevice } from '../driver.ts'
import { fill, type Reader, Reading, readerOf, templateFault, wordFor } from '../values.ts'
import type { Request } from './request.ts'

const template = z.string().superRefine((text, context) => {
  const fault = templateFault(text)
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
})

const headers = z.record(
  z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, 'a header has a name of letters, digits and -'),
  z.string(),
)
const method = z.string().regex(/^[A-Z]{3,10}$/, 'use GET, POST, PUT or PATCH')

const Webhook = z.object({
  token: z.string('give the word that the device proves itself with').min(8, 'a token has at least 8 characters'),
  path: z
    .string()
    .regex(/^\/\S*$/, 'a path begins with /')
    .optional(),
})

/** `spec.protocol.configData` of a device with `protocolName: http`. */
export const HttpProtocol = z.object({
  url: z.url({ protocol: /^https?$/, error: 'give http://host:port or https://host:port' }).optional(),
  headers: headers.default({}),
  username: z.string().optional(),
  password: z.string().optional(),
  timeout: milliseconds.default(5000),
  ca: z.string().optional().describe('Certificates in PEM that the server is held to.'),
  webhook: Webhook.optional(),
})

const Command = z.object({
  url: template,
  method: method.default('POST'),
  headers: headers.default({}),
  body: template.optional(),
  map: z.record(z.string(), z.coerce.string()).optional(),
  decimals: z.int().min(0).max(15).optional(),
})

/** `visitors.configData` of a property. */
const Visitor = Reading.extend({
  url: z.string().optional(),
  method: method.default('GET'),
  headers: headers.default({}),
  body: z.string().optional(),
  command: Command.optional(),
})

export interface HttpProperty {
  name: string
  reader: Reader
  /** What asks for the value; undefined for one that only comes by webhook. */
  request: Request | undefined
  command: z.infer<typeof Command> | undefined
}

export interface HttpConfig {
  base: Omit<Request, 'url' | 'method' | 'body'> & { url: string | undefined }
  webhook: { path: string; token: string } | undefined
  properties: ReadonlyMap<string, HttpProperty>
}

/** What the description of a device says of its requests; throws a `ConfigError` that names the field. Pure. */
export function httpConfig(device: DriverDevice, onUnknown: (field: string) => void): HttpConfig {
  const where = 'spec.protocol'
  const protocol = parseConfig(HttpProtocol, device.spec.protocol?.configData, { where, onUnknown })
  const { url, username, password = '', timeout, ca, webhook } = protocol
  const login: Record<string, string> =
    username === undefined ? {} : { authorization: `Basic ${base64(`${username}:${password}`)}` }
  const base = { url, headers: { ...login, ...lower(protocol.headers) }, timeout, ca }
  const properties = propertiesOf(device)
    .filter(({ visitors }) => visitors?.configData !== undefined)
    .map((property) => propertyOf(device, property, { base, onUnknown, called: webhook !== undefined }))
  return {
    base,
    webhook: webhook && { path: webhook.path ?? `/devices/${device.namespace}/${device.name}`, token: webhook.token },
    properties: new Map(properties.map((property) => [property.name, property])),
  }
}

function propertyOf(
  { model }: DriverDevice,
  { name, visitors }: DeviceProperty,
  { base, onUnknown, called }: { base: HttpConfig['base']; onUnknown: (field: string) => void; called: boolean },
): HttpProperty {
  const where = `property ${name}: visitors`
  const { url, method, headers, body, command, ...reading } = parseConfig(Visitor, visitors?.configData, {
    where,
    onUnknown,
  })
  let reader: Reader
  try {
    reader = readerOf(name, reading, model.get(name))
  } catch (error) {
    throw new ConfigError(`${where}.configData.${(error as Error).message}`)
  }
  if (command !== undefined)
    absolute(command.url.replaceAll(/\{\{[^}]*\}\}/g, 'x'), base.url, `${where}.configData.command.url`)
  // A property of a device that calls by itself need not be asked for.
  const asked = url !== undefined || (!called && command === undefined)
  const request = asked && {
    method,
    url: absolute(url ?? '', base.url, `${where}.configData.url`),
    headers: { ...base.headers, ...lower(headers) },
    body,
    timeout: base.timeout,
    ca: base.ca,
  }
  return { name, reader, request: request || undefined, command }
}

/** An address that may be relative to that of the device. */
function absolute(url: string, base: string | undefined, where: string): string {
  if (url === '' && base === undefined)
    throw new ConfigError(`${where}: give the address to ask, or spec.protocol.configData.url`)
  try {
    const found = url === '' ? new URL(base ?? '') : new URL(url, base)
    if (found.protocol === 'http:' || found.protocol === 'https:') return found.href
  } catch {
    // Told below, with what would be right.
  }
  throw new ConfigError(
    `${where}: found ${JSON.stringify(url)}, give http://… or a path below spec.protocol.configData.url`,
  )
}

/** The request that gives a property a value. Throws when the value cannot be said. */
export function commandRequest({ reader, command }: HttpProperty, value: string, { base }: HttpConfig): Request {
  if (command === undefined) throw new Error('the property has no visitors.configData.command')
  const mapped = command.map && Object.hasOwn(command.map, value) ? command.map[value] : undefined
  const word = mapped ?? wordFor(value, { ...reader, decimals: command.decimals })
  const body = command.body === undefined ? undefined : fill(command.body, word, reader.modelled)
  const url = absolute(fill(command.url, encodeURIComponent(word), undefined), base.url, 'command.url')
  const type: Record<string, string> =
    body !== undefined && /^\s*[[{]/.test(body) ? { 'content-type': 'application/json' } : {}
  const headers = { ...type, ...base.headers, ...lower(command.headers) }
  return { method: command.method, url, headers, body, timeout: base.timeout, ca: base.ca }
}

function lower(given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
