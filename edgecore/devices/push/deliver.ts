import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import mqtt, { type MqttClient } from 'mqtt'
import { formOf, type Pushed, payloadOf, type Target } from './targets.ts'

/** `refused`: the target has it and will never take it. It throws for what may pass. */
export type Delivered = 'taken' | { refused: string }

/** Takes values to one target. */
export interface Deliverer {
  deliver(pushed: Pushed, id: number): Promise<Delivered>
  stop(): Promise<void>
}

export function delivererFor(target: Target): Deliverer {
  return target.is === 'http' ? new HttpDeliverer(target) : new MqttDeliverer(target)
}

/** Answers that another try may change: time-out, too early, too many, and everything from 500 on. */
const passing = new Set([408, 425, 429])

class HttpDeliverer implements Deliverer {
  readonly #target: Extract<Target, { is: 'http' }>
  readonly #stopping = new AbortController()

  constructor(target: Extract<Target, { is: 'http' }>) {
    this.#target = target
  }

  async deliver(pushed: Pushed): Promise<Delivered> {
    const { url, timeout } = this.#target
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(timeout)])
    const code = await post(url, formOf(pushed), signal)
    if (code >= 200 && code < 300) return 'taken'
    if (code < 500 && !passing.has(code)) return { refused: `it answers ${code}` }
    throw new Error(`it answers ${code}`)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
  }
}

function post(url: string, body: string, signal: AbortSignal): Promise<number> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
  }
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers, signal }, (response) => {
      // What it says is not read, only that it has ended.
      response.resume()
      response.once('error', reject)
      response.once('end', () => resolve(response.statusCode ?? 0))
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

/** Milliseconds that a broker may take for one message. */
const brokerPatience = 10_000

class MqttDeliverer implements Deliverer {
  readonly #target: Extract<Target, { is: 'mqtt' }>
  #client: MqttClient | undefined

  constructor(target: Extract<Target, { is: 'mqtt' }>) {
    this.#target = target
  }

  async deliver(pushed: Pushed, id: number): Promise<Delivered> {
    const { topic, qos, retain } = this.#target
    const client = await this.#connected()
    const published = client.publishAsync(topic, payloadOf(pushed, id), { qos, retain })
    await within(brokerPatience, published).catch(async (error: unknown) => {
      await this.stop()
      throw error
    })
    return 'taken'
  }

  async #connected(): Promise<MqttClient> {
    if (this.#client?.connected) return this.#client
    await this.stop()
    const options = { clean: true, reconnectPeriod: 0, connectTimeout: brokerPatience, queueQoSZero: false }
    const client = await mqtt.connectAsync(this.#target.url, options, false)
    client.on('error', () => client.end(true))
    this.#client = client
    return client
  }

  async stop(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.endAsync(true)
  }
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
