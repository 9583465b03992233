import { delay } from '@kedge/shared/backoff'
import { explain } from '@kedge/shared/errors'
import type { Driver, DriverDevice, DriverHost, RunningDevice } from '../driver.ts'
import { collectCycles, Poller } from '../poller.ts'
import { Hopeless, Writes } from '../writes.ts'
import { bitsOf, decode, encode, numberOfBits, truth, truthOf } from './codec.ts'
import { type ModbusConfig, modbusConfig, type Register } from './config.ts'
import { isRefusal, joinLine, type ModbusClient, Unreachable } from './endpoint.ts'
import { isBits, planReads, type Read } from './plan.ts'

/** Devices that speak Modbus, over TCP or a serial line, in the words of KubeEdge's Modbus mapper. */
export const modbusDriver: Driver = {
  protocols: ['modbus'],
  start: (device, host) => {
    const config = modbusConfig(device, (field) => host.tell('UnknownField', `${field} is not known and ignored`))
    return new ModbusDevice(device, host, config)
  },
}

/** What to wait after readings that failed, in milliseconds. */
const backoff = { base: 1000, cap: 30_000 }

class ModbusDevice implements RunningDevice {
  readonly #host: DriverHost
  readonly #config: ModbusConfig
  readonly #line: ReturnType<typeof joinLine>
  readonly #poller: Poller
  readonly #writes: Writes
  readonly #desired: Map<string, string>
  readonly #reported: Map<string, string>
  /** Properties that a device does not let read together with their neighbours. */
  readonly #alone = new Set<string>()
  readonly #plans = new Map<string, Read[]>()
  #online = false
  #attempt = 0

  constructor(device: DriverDevice, host: DriverHost, config: ModbusConfig) {
    this.#host = host
    this.#config = config
    this.#desired = new Map(device.desired)
    this.#reported = new Map(device.reported)
    const { clock, random } = host
    this.#line = joinLine(config.line, host)
    const cycles = collectCycles(device, config.registers.keys(), host)
    this.#poller = new Poller({ cycles, poll: (due) => this.#poll(due), clock, random })
    this.#writes = new Writes({ write: (property, value) => this.#write(property, value), failed: host.failed, random })
    this.#poller.start()
  }

  desired(changes: Readonly<Record<string, string>>): void {
    for (const [property, value] of Object.entries(changes)) {
      if (value === '') this.#desired.delete(property)
      else this.#desired.set(property, value)
    }
    this.#writes.put(changes)
  }

  async stop(): Promise<void> {
    this.#line.leave()
    await Promise.all([this.#poller.stop(), this.#writes.stop()])
  }

  async #poll(due: readonly string[]): Promise<void> {
    const values: Record<string, string> = {}
    try {
      for (const read of this.#planFor(due)) await this.#read(read, values)
      this.#attempt = 0
      this.#report(values)
      this.#say('online')
    } catch (error) {
      this.#report(values)
      this.#host.failed(explain(error))
      this.#say('offline')
      this.#poller.pause(delay(this.#attempt++, backoff, this.#host.random()))
    }
  }

  #planFor(due: readonly string[]): Read[] {
    const key = due.join('\n')
    const known = this.#plans.get(key)
    if (known !== undefined) return known
    const registers = due.flatMap((name) => this.#config.registers.get(name) ?? [])
    const plan = planReads(registers, { maxGap: this.#config.maxGap, alone: this.#alone })
    // Cycles that do not fit together make many combinations.
    if (this.#plans.size > 50) this.#plans.clear()
    this.#plans.set(key, plan)
    return plan
  }

  /** Reads into `values`. What the device refuses is told and left out; rejects when it does not answer. */
  async #read(read: Read, values: Record<string, string>): Promise<void> {
    let bytes: Buffer | boolean[]
    try {
      bytes = await this.#run((client) => request(client, read))
    } catch (error) {
      if (error instanceof Unreachable) throw error
      return this.#refused(read, values, error)
    }
    for (const span of read.spans) {
      const register = this.#config.registers.get(span.name)
      if (register === undefined) continue
      try {
        values[span.name] = valueIn(bytes, read, register)
      } catch (error) {
        this.#host.failed(`property ${span.name}: ${explain(error)}`)
      }
    }
  }

  /** One of several may be the reason: from now on each is read by itself. */
  async #refused(read: Read, values: Record<string, string>, error: unknown): Promise<void> {
    const [only] = read.spans
    if (read.spans.length === 1 && only !== undefined) {
      const { table, address } = read
      return this.#host.failed(`property ${only.name}: ${table} ${address}: ${explain(error)}`)
    }
    // A device that is busy refuses for now and not for good.
    if (isRefusal(error) && error.modbusCode <= 3) {
      for (const { name } of read.spans) this.#alone.add(name)
      this.#plans.clear()
    }
    for (const span of read.spans) await this.#read({ ...span, spans: [span] }, values)
  }

  #report(values: Readonly<Record<string, string>>): void {
    if (Object.keys(values).length === 0) return
    for (const [property, value] of Object.entries(values)) this.#reported.set(property, value)
    this.#host.report(values).catch((error: unknown) => this.#host.failed(explain(error)))
  }

  #say(state: 'online' | 'offline'): void {
    const back = state === 'online' && !this.#online
    this.#online = state === 'online'
    this.#host.state(state).catch((error: unknown) => this.#host.failed(explain(error)))
    // What was desired while it was away, or before edgecore ran.
    if (back) this.#writes.put(this.#missing())
  }

  #missing(): Record<string, string> {
    const open = [...this.#desired].filter(([name, value]) => value !== this.#reported.get(name))
    return Object.fromEntries(open.filter(([name]) => this.#config.registers.has(name)))
  }

  async #write(name: string, value: string): Promise<void> {
    const register = this.#config.registers.get(name)
    if (register === undefined) throw new Hopeless('the property has no visitors.configData.register')
    const write = writer(register, value, this.#config)
    try {
      await this.#run(write)
    } catch (error) {
      throw isRefusal(error) && error.modbusCode <= 3 ? new Hopeless(explain(error)) : error
    }
    // The device says what became of it.
    this.#poller.soon([name])
  }

  #run<T>(act: (client: ModbusClient) => Promise<T>): Promise<T> {
    return this.#line.run(this.#config.slave, this.#config.timeout, act)
  }
}

async function request(client: ModbusClient, { table, address, length }: Read): Promise<Buffer | boolean[]> {
  switch (table) {
    case 'CoilRegister':
      return (await client.readCoils(address, length)).data
    case 'DiscreteInputRegister':
      return (await client.readDiscreteInputs(address, length)).data
    case 'InputRegister':
      return (await client.readInputRegisters(address, length)).buffer
    case 'HoldingRegister':
      return (await client.readHoldingRegisters(address, length)).buffer
  }
}

function valueIn(answer: Buffer | boolean[], read: Read, { address, length, layout }: Register): string {
  const at = address - read.address
  if (Buffer.isBuffer(answer)) {
    if (answer.length < 2 * (at + length)) throw new Error(`the answer has ${answer.length} bytes, more were asked for`)
    return decode(answer.subarray(2 * at, 2 * (at + length)), layout)
  }
  const bits = answer.slice(at, at + length)
  return length === 1 || layout.model === 'BOOLEAN' ? truth(bits.includes(true), layout.model) : numberOfBits(bits)
}

/** What writes a value into its register. Throws a `Hopeless` where that cannot be. */
function writer(register: Register, value: string, { writeMultiple }: Pick<ModbusConfig, 'writeMultiple'>) {
  const { table, address, length, layout } = register
  try {
    if (table === 'CoilRegister') return coilWriter(register, value)
    if (isBits(table) || table === 'InputRegister') throw new Error(`a ${table} cannot be written`)
    if (layout.type === 'bit') return bitWriter(register, truthOf(value))
    const bytes = encode(value, layout)
    const words = Array.from({ length }, (_, at) => bytes.readUInt16BE(2 * at))
    const [first = 0] = words
    return async (client: ModbusClient): Promise<unknown> =>
      length === 1 && !writeMultiple ? client.writeRegister(address, first) : client.writeRegisters(address, words)
  } catch (error) {
    throw new Hopeless(explain(error))
  }
}

function coilWriter({ address, length }: Register, value: string) {
  if (length > 1) {
    const bits = bitsOf(value, length)
    return async (client: ModbusClient): Promise<unknown> => client.writeCoils(address, bits)
  }
  const on = truthOf(value)
  return async (client: ModbusClient): Promise<unknown> => client.writeCoil(address, on)
}

/** One bit of a register: the others stay as they are. Nobody else is on the line in between. */
function bitWriter({ address, layout }: Register, on: boolean) {
  return async (client: ModbusClient): Promise<unknown> => {
    const { buffer } = await client.readHoldingRegisters(address, 1)
    const swap = (word: number) => (layout.swapBytes ? ((word & 0xff) << 8) | (word >> 8) : word)
    const mask = 1 << layout.bit
    const word = swap(buffer.readUInt16BE(0))
    return client.writeRegister(address, swap(on ? word | mask : word & ~mask & 0xffff))
  }
}
