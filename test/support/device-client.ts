import mqtt, { type MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { eventually } from './eventually.ts'

export interface Seen {
  topic: string
  text: string
  /** The payload as JSON, or undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into payloads of many shapes
  body: any
}

/** A device on MQTT, as mosquitto_pub and mosquitto_sub would be one. */
export class DeviceClient {
  readonly mqtt: MqttClient
  readonly seen: Seen[] = []

  private constructor(client: MqttClient) {
    this.mqtt = client
    client.on('message', (topic, payload) => {
      const text = payload.toString()
      this.seen.push({ topic, text, body: parsed(text) })
    })
  }

  static async connect(port: number, options: mqtt.IClientOptions = {}): Promise<DeviceClient> {
    const client = mqtt.connect({ host: '127.0.0.1', port, reconnectPeriod: 0, ...options })
    client.on('error', () => undefined)
    onTestFinished(() => client.endAsync(true))
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve())
      client.once('error', reject)
      client.once('close', () => reject(new Error('closed before it was connected')))
    })
    return new DeviceClient(client)
  }

  async subscribe(...filters: string[]): Promise<this> {
    await this.mqtt.subscribeAsync(filters, { qos: 1 })
    return this
  }

  /** Resolves once the broker has acknowledged. */
  async publish(topic: string, payload: unknown): Promise<void> {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload)
    await this.mqtt.publishAsync(topic, bytes, { qos: 1 })
  }

  on(topic: string): Seen[] {
    return this.seen.filter((each) => each.topic === topic)
  }

  /** The `count`th message on a topic, once it is there. */
  async message(topic: string, count = 1) {
    const seen = await eventually(() => this.on(topic)[count - 1])
    return seen.body
  }

  /**
   * Resolves when everything that the broker had for this client is here: a message sent last comes last.
   */
  async settled(): Promise<void> {
    const topic = `test/settled/${this.mqtt.options.clientId}/${this.seen.length}`
    await this.subscribe(topic)
    await this.publish(topic, 'x')
    await this.message(topic)
    this.seen.splice(
      this.seen.findIndex((each) => each.topic === topic),
      1,
    )
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
