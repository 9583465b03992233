import type { DeviceProperty } from '@kedge/shared/devices'
import type { ModelProperty } from '@kedge/shared/twin'
import * as z from 'zod'
import { number, parseConfig, propertiesOf, tcpPort } from '../config.ts'
import { ConfigError, type DriverDevice } from '../driver.ts'
import { type Layout, type RegisterType, registerTypes, widths } from './codec.ts'
import { isBits, type Span, type Table, tables } from './plan.ts'

/** A choice whose letters may be large or small. */
function word<const T extends string>(words: readonly T[]) {
  const known = new Map(words.map((each) => [each.toLowerCase(), each]))
  return z.string().transform((text, context): T => {
    const found = known.get(text.toLowerCase())
    if (found !== undefined) return found
    context.addIssue({ code: 'custom', message: `use one of ${words.join(', ')}` })
    return z.NEVER
  })
}

const Serial = z.object({
  serialPort: z.string().min(1).optional(),
  baudRate: number.pipe(z.int().positive()).optional(),
  dataBits: number.pipe(z.union([z.literal(5), z.literal(6), z.literal(7), z.literal(8)])).optional(),
  parity: word(['none', 'even', 'odd']).optional(),
  stopBits: number.pipe(z.union([z.literal(1), z.literal(2)])).optional(),
})

const unit = number.pipe(z.int().min(0).max(255))

/** `spec.protocol.configData` of a device with `protocolName: modbus`; the names are KubeEdge's. */
export const ModbusProtocol = Serial.extend({
  communicateMode: word(['TCP', 'RTU', 'RTUoverTCP']).optional(),
  ip: z.string().min(1).optional(),
  host: z.string().min(1).optional(),
  port: tcpPort.optional(),
  slaveID: unit.optional(),
  slaveId: unit.optional(),
  /** The groups that KubeEdge's older mappers have. */
  tcp: z.object({ ip: z.string().optional(), port: tcpPort.optional() }).optional(),
  com: Serial.optional(),
  timeout: number.pipe(z.number().min(0)).optional().describe('Milliseconds to wait for an answer.'),
  maxGap: number
    .pipe(z.int().min(0).max(100))
    .default(0)
    .describe('Unused addresses that one request may read across.'),
  writeMultiple: z.boolean().default(false).describe('Write a single register with function 16, not 6.'),
})

const aliases: Record<string, Table> = {
  coil: 'CoilRegister',
  discrete: 'DiscreteInputRegister',
  input: 'InputRegister',
  holding: 'HoldingRegister',
}

const Register = z.string().transform((text, context): Table => {
  const lower = text.toLowerCase()
  const found = tables.find((table) => table.toLowerCase() === lower) ?? aliases[lower]
  if (found !== undefined) return found
  context.addIssue({ code: 'custom', message: `use one of ${tables.join(', ')}` })
  return z.NEVER
})

/** The words of KubeEdge's mapper for types. */
const modelWords = { int: 'INT', float: 'FLOAT', double: 'DOUBLE', boolean: 'BOOLEAN', string: 'STRING' } as const

/** `visitors.configData` of a property. */
export const ModbusVisitor = z.object({
  register: Register,
  offset: number.pipe(z.int().min(0).max(65535)).describe('The address, counted from 0.'),
  limit: number.pipe(z.int().min(1).max(125)).optional().describe('How many registers or coils.'),
  dataType: word([...registerTypes, 'int', 'float', 'double', 'boolean']).optional(),
  bit: number.pipe(z.int().min(0).max(15)).optional(),
  scale: number.optional(),
  valueOffset: number.default(0).describe('Added to the scaled number.'),
  isSwap: z.boolean().optional(),
  isRegisterSwap: z.boolean().optional(),
  order: word(['ABCD', 'BADC', 'CDAB', 'DCBA']).optional().describe('The order of bytes in words of their own.'),
})
type Visitor = z.infer<typeof ModbusVisitor>

/** How a line is reached. */
export type Line =
  | { mode: 'TCP' | 'RTUoverTCP'; host: string; port: number }
  | {
      mode: 'RTU'
      serialPort: string
      baudRate: number
      dataBits: 5 | 6 | 7 | 8
      parity: 'none' | 'even' | 'odd'
      stopBits: 1 | 2
    }

export interface Register extends Span {
  layout: Layout
}

export interface ModbusConfig {
  line: Line
  slave: number
  /** Milliseconds. */
  timeout: number
  maxGap: number
  writeMultiple: boolean
  registers: ReadonlyMap<string, Register>
}

/** What the description of a device says of its registers; throws a `ConfigError` that names the field. Pure. */
export function modbusConfig(device: DriverDevice, onUnknown: (field: string) => void): ModbusConfig {
  const where = 'spec.protocol'
  const protocol = parseConfig(ModbusProtocol, device.spec.protocol?.configData, { where, onUnknown })
  const line = lineOf(protocol)
  const slave = protocol.slaveID ?? protocol.slaveId ?? 1
  if (line.mode !== 'TCP' && (slave < 1 || slave > 247)) {
    throw new ConfigError(`spec.protocol.configData.slaveID: found ${slave}, a slave on a serial line is 1 to 247`)
  }
  const registers = propertiesOf(device)
    .filter(({ visitors }) => visitors?.configData !== undefined)
    .map((property) => registerOf(property, device.model.get(property.name), onUnknown))
  return {
    line,
    slave,
    timeout: timeoutOf(protocol.timeout),
    maxGap: protocol.maxGap,
    writeMultiple: protocol.writeMultiple,
    registers: new Map(registers.map((register) => [register.name, register])),
  }
}

/** KubeEdge's mapper takes nanoseconds, and 0 for its own default. */
function timeoutOf(given = 0): number {
  if (given === 0) return 1000
  return Math.min(60_000, Math.max(10, given >= 1e6 ? given / 1e6 : given))
}

function lineOf(protocol: z.infer<typeof ModbusProtocol>): Line {
  const serial = { ...protocol.com, ...definedOf(protocol) }
  const host = protocol.ip ?? protocol.host ?? protocol.tcp?.ip
  const mode = protocol.communicateMode ?? (host === undefined && serial.serialPort !== undefined ? 'RTU' : 'TCP')
  if (mode === 'RTU') {
    const { serialPort, baudRate = 9600, dataBits = 8, parity = 'none', stopBits = 1 } = serial
    if (serialPort === undefined)
      throw new ConfigError(missing('serialPort: the path of the line, such as /dev/ttyUSB0'))
    return { mode, serialPort, baudRate, dataBits, parity, stopBits }
  }
  if (host === undefined) throw new ConfigError(missing('ip with port, or serialPort'))
  return { mode, host, port: protocol.port ?? protocol.tcp?.port ?? 502 }
}

function missing(what: string): string {
  return `spec.protocol.configData says no line to the device: give ${what}`
}

function definedOf({ serialPort, baudRate, dataBits, parity, stopBits }: z.infer<typeof Serial>) {
  const all = { serialPort, baudRate, dataBits, parity, stopBits }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as typeof all
}

function registerOf(
  { name, visitors }: DeviceProperty,
  modelled: ModelProperty | undefined,
  onUnknown: (field: string) => void,
): Register {
  const where = `property ${name}: visitors`
  const visitor = parseConfig(ModbusVisitor, visitors?.configData, { where, onUnknown })
  const { register: table, offset: address } = visitor
  const layout = isBits(table) ? bitLayout(visitor, modelled) : layoutOf(visitor, modelled, where)
  const { length } = layout
  if (address + length > 65536)
    throw new ConfigError(`${where}.configData.offset: ${length} from ${address} on go beyond 65535`)
  return { name, table, address, length, layout }
}

const plain = { swapBytes: false, swapWords: false, scale: 1, shift: 0, bit: 0 }

function bitLayout({ limit = 1 }: Visitor, modelled: ModelProperty | undefined): Layout {
  return { ...plain, type: 'bit', length: limit, model: modelled?.type }
}

function layoutOf(visitor: Visitor, modelled: ModelProperty | undefined, where: string): Layout {
  const { dataType, limit, order } = visitor
  const model =
    (dataType && dataType in modelWords && modelWords[dataType as keyof typeof modelWords]) || modelled?.type
  const explicit = registerTypes.find((type) => type === dataType && !(type === 'string' && limit === undefined))
  const type = visitor.bit === undefined ? (explicit ?? typeFor(model, limit ?? 1, modelled)) : 'bit'
  const width = type === undefined ? undefined : widths[type]
  if (type === undefined || (width !== undefined && limit !== undefined && width !== limit)) {
    const needed = type === undefined ? '1, 2 or 4 registers hold a number' : `${type} takes ${width}`
    throw new ConfigError(`${where}.configData.limit: found ${limit}, ${needed}`)
  }
  return {
    type,
    length: width ?? limit ?? 1,
    swapBytes: visitor.isSwap ?? (order === 'BADC' || order === 'DCBA'),
    swapWords: visitor.isRegisterSwap ?? (order === 'CDAB' || order === 'DCBA'),
    // KubeEdge's mappers leave the scale out where it is 0.
    scale: visitor.scale || 1,
    shift: visitor.valueOffset,
    bit: visitor.bit ?? 0,
    model,
  }
}

/**
 * The type of registers where nothing names it, as KubeEdge's mapper has it: by the type in the model and the number of
 * registers. Whole numbers have no sign there; here they have one where the model allows values below 0.
 */
function typeFor(
  model: string | undefined,
  length: number,
  modelled: Pick<ModelProperty, 'minimum'> | undefined,
): RegisterType | undefined {
  const signed = Number(modelled?.minimum) < 0
  const whole = ({ 1: 'int16', 2: 'int32', 4: 'int64' } as const)[length]
  const number: RegisterType | undefined = signed || whole === undefined ? whole : `u${whole}`
  switch (model) {
    case 'STRING':
      return 'string'
    case 'BYTES':
      return 'bytes'
    case 'FLOAT':
    case 'DOUBLE':
      return length === 2 ? 'float32' : length === 4 ? 'float64' : number
    default:
      return number
  }
}
