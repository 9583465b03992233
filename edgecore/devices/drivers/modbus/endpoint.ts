import { connect, type Socket } from 'node:net'
import { delay } from '@kedge/shared/backoff'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import modbusSerial from 'modbus-serial'
import type { Line } from './config.ts'

export type ModbusClient = InstanceType<typeof modbusSerial.default>

interface Job {
  slave: number
  timeout: number
  act: (client: ModbusClient) => Promise<unknown>
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/** The line cannot be reached, or the slave does not answer: other requests to it would fare no better. */
export class Unreachable extends Error {
  override name = 'Unreachable'
}

const backoff = { base: 500, cap: 30_000 }
const connectTimeout = 5000
/** After so many requests without an answer, from any slave, the line itself is taken to be dead. */
const maxSilence = 4

interface Held {
  endpoint: Endpoint
  users: number
}

/** Lines in use: devices on the same one share it. */
const endpoints = new Map<string, Held>()

/** Takes part in a line. The last one that leaves closes it. */
export function joinLine(line: Line, { log, random }: { log: Log; random: () => number }) {
  const key = JSON.stringify(line)
  const held = endpoints.get(key) ?? { endpoint: new Endpoint(line, { log, random }), users: 0 }
  endpoints.set(key, held)
  held.users++
  let left = false
  return {
    run: <T>(slave: number, timeout: number, act: (client: ModbusClient) => Promise<T>): Promise<T> =>
      left ? Promise.reject(new Unreachable('stopped')) : held.endpoint.run(slave, timeout, act),
    leave: () => {
      if (left) return
      left = true
      held.users--
      if (held.users > 0) return
      endpoints.delete(key)
      held.endpoint.close()
    },
  }
}

/**
 * One line: a TCP connection or a serial port.
 *
 * Invariants:
 * - One request is under way at a time, since gateways and serial lines know no more; slaves take turns, so that the many
 *   requests to one do not hold up the others.
 * - The line is opened when somebody needs it, and again after a failure, later and later; meanwhile requests fail at once.
 */
class Endpoint {
  readonly #line: Line
  readonly #log: Log
  readonly #random: () => number
  /** Requests that wait, by slave, in the order in which the slaves have their turn. */
  readonly #queues = new Map<number, Job[]>()
  #client: ModbusClient | undefined
  /** Rejects when the open line breaks. */
  #broken: Promise<never> | undefined
  #break: (error: Unreachable) => void = () => undefined
  #hangUp: () => void = () => undefined
  #working = false
  #closed = false
  #attempt = 0
  #silent = 0
  #notBefore = 0
  #why = ''

  constructor(line: Line, { log, random }: { log: Log; random: () => number }) {
    this.#line = line
    this.#log = log.child({ line: nameOf(line) })
    this.#random = random
  }

  run<T>(slave: number, timeout: number, act: (client: ModbusClient) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const queue = this.#queues.get(slave) ?? []
      this.#queues.set(slave, queue)
      queue.push({ slave, timeout, act, resolve, reject })
      if (!this.#working) void this.#work()
    })
  }

  close(): void {
    this.#closed = true
    this.#hangUp()
    this.#failAll(new Unreachable('stopped'))
  }

  async #work(): Promise<void> {
    this.#working = true
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      try {
        await this.#open(job.timeout)
        job.resolve((await this.#do(job)) as never)
      } catch (error) {
        job.reject(error)
      }
    }
    this.#working = false
  }

  /** The next request of the slave whose turn it is. */
  #next(): Job | undefined {
    const [turn] = this.#queues
    if (turn === undefined) return undefined
    const [slave, queue] = turn
    const job = queue.shift()
    // To the end of the line.
    this.#queues.delete(slave)
    if (queue.length > 0) this.#queues.set(slave, queue)
    return job
  }

  async #do({ slave, timeout, act }: Job): Promise<unknown> {
    const client = this.#client
    if (client === undefined) throw new Unreachable(this.#why)
    forgetRequests(client)
    client.setID(slave)
    client.setTimeout(timeout)
    try {
      const answered = await Promise.race([act(client), this.#broken])
      this.#silent = 0
      return answered
    } catch (error) {
      // A refusal is an answer.
      if (isRefusal(error)) this.#silent = 0
      else if (isLate(error)) {
        if (++this.#silent >= maxSilence) this.#hangUp()
        throw new Unreachable(`slave ${slave} does not answer within ${timeout} ms`)
      } else if (!client.isOpen) {
        this.#hangUp()
        throw new Unreachable(this.#why)
      }
      throw error
    }
  }

  async #open(timeout: number): Promise<void> {
    if (this.#client !== undefined) return
    if (this.#closed) throw new Unreachable('stopped')
    if (performance.now() < this.#notBefore) throw new Unreachable(this.#why)
    try {
      await this.#connect(Math.max(timeout, connectTimeout))
      this.#attempt = 0
      this.#silent = 0
      this.#log.info('modbus line open')
    } catch (error) {
      this.#why = `${nameOf(this.#line)}: ${explain(error)}`
      this.#notBefore = performance.now() + delay(this.#attempt++, backoff, this.#random())
      this.#failAll(new Unreachable(this.#why))
      throw new Unreachable(this.#why)
    }
  }

  async #connect(timeout: number): Promise<void> {
    const line = this.#line
    const client = new modbusSerial.default()
    // Told by what is under way; without a listener it would end the process.
    client.on('error', () => undefined)
    if (line.mode === 'RTU') {
      const { serialPort, mode: _, ...options } = line
      await client.connectRTUBuffered(serialPort, options)
      this.#opened(client, () => client.close(() => undefined))
      return
    }
    const socket = await dial(line, timeout)
    if (line.mode === 'TCP') await client.linkTCP(socket, { port: line.port })
    // The library calls a serial line behind TCP by this name.
    else await client.linkTelnet(socket, { port: line.port })
    if (socket.destroyed) throw new Error('the connection was closed at once')
    this.#opened(client, () => socket.destroy())
    // The library is silent about a connection that ends with an error.
    socket.once('close', () => this.#lost(client, 'the connection was closed'))
  }

  #opened(client: ModbusClient, close: () => void): void {
    this.#client = client
    const broken = new Promise<never>((_, reject) => {
      this.#break = reject
    })
    broken.catch(() => undefined)
    this.#broken = broken
    this.#hangUp = () => {
      this.#lost(client, this.#closed ? 'closed' : 'nobody on it answers')
      close()
    }
    client.on('close', () => this.#lost(client, 'the connection was closed'))
    if (this.#closed) this.#hangUp()
  }

  #lost(client: ModbusClient, why: string): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#why = `${nameOf(this.#line)}: ${why}`
    // Not at once again: a line that opens and breaks would be opened without end.
    this.#notBefore = performance.now() + backoff.base * this.#random()
    this.#break(new Unreachable(this.#why))
    if (!this.#closed) this.#log.warn({ reason: why }, 'modbus line lost')
  }

  #failAll(error: Unreachable): void {
    const waiting = [...this.#queues.values()].flat()
    this.#queues.clear()
    for (const { reject } of waiting) reject(error)
  }
}

/**
 * The library remembers its last 256 requests with their answers, on every line: some 0.2 MB each. A late answer then finds
 * no request and is passed over.
 */
function forgetRequests(client: ModbusClient): void {
  const remembered = client as unknown as { _transactions: Record<string, unknown> }
  remembered._transactions = {}
}

function dial({ host, port }: { host: string; port: number }, timeout: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 })
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeout} ms`)), timeout)
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      // From now on the client has its own ear for errors; this one only keeps them from ending the process.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

function nameOf(line: Line): string {
  return line.mode === 'RTU' ? line.serialPort : `${line.host}:${line.port}`
}

/** The device answered with an exception (Modbus application protocol 1.1b3, 7). */
export function isRefusal(error: unknown): error is Error & { modbusCode: number } {
  return typeof (error as { modbusCode?: unknown } | undefined)?.modbusCode === 'number'
}

function isLate(error: unknown): boolean {
  return (error as { errno?: unknown } | undefined)?.errno === 'ETIMEDOUT'
}
