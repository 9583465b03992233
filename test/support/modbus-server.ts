import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import modbusSerial from 'modbus-serial'
import { onTestFinished } from 'vitest'

type Done<T> = (error: Error | null, value: T) => void

/** A Modbus server of modbus-serial with registers in memory, each unit with its own. */
export class ModbusServer {
  readonly port: number
  /** By unit and address: 100,000 × unit + address. */
  readonly holding = new Map<number, number>()
  readonly input = new Map<number, number>()
  readonly coils = new Map<number, boolean>()
  /** What was asked for, in order: `holding 1 10+2`, `write 1 10 500`. */
  readonly asked: string[] = []
  /** Units that never answer. */
  readonly silent = new Set<number>()
  /** Addresses of holding registers that are not there. */
  readonly absent = new Set<number>()
  readonly #server: InstanceType<typeof modbusSerial.ServerTCP>

  private constructor(server: InstanceType<typeof modbusSerial.ServerTCP>, port: number) {
    this.#server = server
    this.port = port
  }

  static async start(port = 0): Promise<ModbusServer> {
    let made: ModbusServer | undefined
    const self = () => made as ModbusServer
    const server = new modbusSerial.ServerTCP(
      {
        getMultipleHoldingRegisters: (address: number, length: number, unit: number, done: Done<number[]>) =>
          self().#read('holding', { address, length, unit }, done),
        getHoldingRegister: (address: number, unit: number, done: Done<number>) =>
          self().#read('holding', { address, length: 1, unit }, (error, values) => done(error, values[0] ?? 0)),
        getMultipleInputRegisters: (address: number, length: number, unit: number, done: Done<number[]>) =>
          self().#read('input', { address, length, unit }, done),
        getInputRegister: (address: number, unit: number, done: Done<number>) =>
          self().#read('input', { address, length: 1, unit }, (error, values) => done(error, values[0] ?? 0)),
        getCoil: (address: number, unit: number) => self().coils.get(unit * 100_000 + address) ?? false,
        getDiscreteInput: (address: number, unit: number) => self().coils.get(unit * 100_000 + address) ?? false,
        setRegister: (address: number, value: number, unit: number) => {
          self().asked.push(`write ${unit} ${address} ${value}`)
          self().holding.set(unit * 100_000 + address, value)
        },
        setCoil: (address: number, value: boolean, unit: number) => {
          self().asked.push(`coil ${unit} ${address} ${value}`)
          self().coils.set(unit * 100_000 + address, value)
        },
      },
      // The library takes the number 0 for none given.
      { host: '127.0.0.1', port: String(port) as unknown as number, unitID: 255 },
    )
    server.on('socketError', () => undefined)
    await new Promise<void>((resolve) => server.on('initialized', () => resolve()))
    const net = (server as unknown as { _server: Server })._server
    made = new ModbusServer(server, (net.address() as AddressInfo).port)
    onTestFinished(() => self().stop())
    return made
  }

  #read(
    table: 'holding' | 'input',
    { address, length, unit }: { address: number; length: number; unit: number },
    done: Done<number[]>,
  ): void {
    this.asked.push(`${table} ${unit} ${address}+${length}`)
    if (this.silent.has(unit)) return
    const addresses = Array.from({ length }, (_, at) => address + at)
    const values = addresses.map((each) => this[table].get(unit * 100_000 + each) ?? 0)
    const absent = table === 'holding' && addresses.some((each) => this.absent.has(each))
    done(absent ? Object.assign(new Error('illegal data address'), { modbusErrorCode: 2 }) : null, values)
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#server.socks.keys()) socket.destroy()
    })
  }
}

/** A server that takes connections and never says a word. */
export async function muteServer(): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, sockets }
}
