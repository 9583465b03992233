import type { DeviceProperty } from '@kedge/shared/devices'
import * as z from 'zod'
import { number, parseConfig, propertiesOf, tcpPort } from '../config.ts'
import { ConfigError, type DriverDevice } from '../driver.ts'
import { topicFault } from '../topics.ts'
import { fill, type Reader, Reading, readerOf, templateFault, wordFor } from '../values.ts'

const topicFilter = z.string().superRefine((topic, context) => {
  const fault = topicFault(topic, 'wildcards')
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
})

const topicName = z.string().superRefine((topic, context) => {
  const fault = topicFault(topic, 'no wildcards')
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
})

const template = z.string().superRefine((text, context) => {
  const fault = templateFault(text)
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
})

const Availability = z.object({
  topic: topicFilter,
  path: z.string().optional(),
  online: z.coerce.string().default('online'),
  offline: z.coerce.string().default('offline'),
})

/** `spec.protocol.configData` of a device with `protocolName: mqtt`. */
export const MqttProtocol = z.object({
  broker: z.url({ protocol: /^(mqtts?|tcp|ssl)$/, error: 'give mqtt://host:port or mqtts://host:port' }).optional(),
  /** KubeEdge's way of naming the broker. */
  ip: z.string().min(1).optional(),
  port: tcpPort.optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  ca: z.string().optional().describe('Certificates in PEM that the broker is held to.'),
  availability: z.union([Availability, z.array(Availability)]).optional(),
  offlineAfterMs: number.pipe(z.number().min(100)).optional().describe('Offline when nothing was heard for so long.'),
})

const Command = z.object({
  topic: topicName,
  payload: template.default('{{value}}'),
  map: z
    .record(z.string(), z.coerce.string())
    .optional()
    .describe('The value of the property → the word in the command.'),
  decimals: z.int().min(0).max(15).optional().describe('Digits after the point of a scaled number.'),
  qos: z.union([z.literal(0), z.literal(1)]).default(1),
  retain: z.boolean().default(false),
})

/** `visitors.configData` of a property. */
const Visitor = Reading.extend({
  topic: z.union([topicFilter, z.array(topicFilter).min(1)]).optional(),
  retained: z.enum(['use', 'ignore']).default('use').describe('Whether messages that the broker kept count.'),
  command: Command.optional(),
  /** What else KubeEdge's MQTT mapper knows. */
  qos: z.unknown().optional(),
  retain: z.unknown().optional(),
  clientId: z.unknown().optional(),
  cleanSession: z.unknown().optional(),
  keepAlive: z.unknown().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
})

export interface Broker {
  url: string
  username: string | undefined
  password: string | undefined
  ca: string | undefined
}

export interface Watch {
  topic: string
  reader: Reader
  online: string
  offline: string
}

export interface MappedProperty {
  name: string
  topics: readonly string[]
  ignoreRetained: boolean
  reader: Reader
  command: z.infer<typeof Command> | undefined
}

export interface MqttConfig {
  /** Undefined for the local broker. */
  broker: Broker | undefined
  availability: readonly Watch[]
  offlineAfterMs: number | undefined
  properties: readonly MappedProperty[]
}

/** What the description of a device says of its topics; throws a `ConfigError` that names the field. Pure. */
export function mqttConfig(device: DriverDevice, onUnknown: (field: string) => void): MqttConfig {
  const protocol = parseConfig(MqttProtocol, device.spec.protocol?.configData, { where: 'spec.protocol', onUnknown })
  const visited = propertiesOf(device)
    .filter(({ visitors }) => visitors?.configData !== undefined)
    .map((property) => visit(device, property, onUnknown))
  const login = visited.find(({ username }) => username !== undefined)
  const watches = [protocol.availability ?? []].flat()
  return {
    broker: brokerOf({
      ...protocol,
      username: protocol.username ?? login?.username,
      password: protocol.password ?? login?.password,
    }),
    availability: watches.map(({ topic, path, online, offline }) => ({
      topic,
      reader: reader('availability', 'spec.protocol.configData.availability', { path }, undefined),
      online,
      offline,
    })),
    offlineAfterMs: protocol.offlineAfterMs,
    properties: visited.map(({ property }) => property),
  }
}

function visit(device: DriverDevice, { name, visitors }: DeviceProperty, onUnknown: (field: string) => void) {
  const where = `property ${name}: visitors`
  const { topic, retained, command, username, password, ...reading } = parseConfig(Visitor, visitors?.configData, {
    where,
    onUnknown,
  })
  if (topic === undefined && command === undefined) {
    throw new ConfigError(`${where}.configData: give topic, where the device reports, or command, where it listens`)
  }
  const property: MappedProperty = {
    name,
    topics: [topic ?? []].flat(),
    ignoreRetained: retained === 'ignore',
    reader: reader(name, `${where}.configData`, reading, device.model.get(name)),
    command,
  }
  return { property, username, password }
}

function reader(name: string, where: string, reading: Reading, modelled: Reader['modelled']): Reader {
  try {
    return readerOf(name, reading, modelled)
  } catch (error) {
    throw new ConfigError(`${where}.${(error as Error).message}`)
  }
}

function brokerOf({ broker, ip, port, username, password, ca }: z.infer<typeof MqttProtocol>): Broker | undefined {
  const url = broker ?? (ip === undefined ? undefined : `mqtt://${ip.includes(':') ? `[${ip}]` : ip}:${port ?? 1883}`)
  if (url === undefined) return undefined
  return { url: url.replace(/^tcp:/, 'mqtt:').replace(/^ssl:/, 'mqtts:'), username, password, ca }
}

/** The payload of the command that gives the property this value. */
export function commandPayload({ command, reader }: MappedProperty, value: string): string {
  const mapped = command?.map && Object.hasOwn(command.map, value) ? command.map[value] : undefined
  const word = mapped ?? wordFor(value, { ...reader, decimals: command?.decimals })
  return fill(command?.payload ?? '{{value}}', word, reader.modelled)
}
