import { deviceTopicFilters, matches } from '@kedge/shared/device-topics'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { sendAtOnce } from '@kedge/shared/mqtt-no-delay'
import mqttPacket from '@kedge/shared/mqtt-packets'
import mqtt, { type IPublishPacket, type MqttClient, type Packet } from 'mqtt'
import type { DeviceBroker } from './broker.ts'
import type { Publication, TopicMessage, TopicSource } from './drivers/topics.ts'
import type { Engine } from './engine.ts'
import type { Uploads } from './uploads.ts'

export interface ExternalBrokerOptions {
  /** `mqtt://host:port` or `mqtts://host:port`. */
  url: string
  username?: string | undefined
  password?: string | undefined
  nodeName: string
  engine: Pick<Engine, 'take' | 'openDeltas'>
  uploads: Pick<Uploads, 'take' | 'filters'>
  log: Log
}

/** Milliseconds between two tries to reach the broker: it is on this machine, and nobody else waits for it. */
const retryEvery = 1000

/**
 * A broker of the node's own, mosquitto for instance, in place of the embedded one. edgecore is one client of it, with a
 * persistent session: what devices say while edgecore restarts, the broker keeps.
 *
 * Invariant: a request is acknowledged to the broker once it is kept, in the order in which requests came. When it
 * cannot be kept, the connection begins anew and the broker sends it again.
 */
export function openExternalBroker(options: ExternalBrokerOptions): DeviceBroker {
  const { url, username, password, nodeName, engine, uploads, log } = options
  const client = mqtt.connect(url, {
    clientId: `kedge-${nodeName}`,
    clean: false,
    reconnectPeriod: retryEvery,
    resubscribe: false,
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  })
  const requests = new Requests(client, options)
  const drivers = new DriverTopics(client)
  const publish = (message: { topic: string; payload: string }, done?: () => void) => {
    // Not kept for later: it answers somebody who listens now, and deltas are told anew with the connection.
    if (!client.connected) return done?.()
    client.publish(message.topic, message.payload, { qos: 1 }, (error) => {
      if (error) log.warn({ topic: message.topic, reason: explain(error) }, 'mqtt message not sent')
      done?.()
    })
  }
  let told = ''
  client.on('connect', () => {
    sendAtOnce(client)
    told = ''
    log.info({ url }, 'local mqtt broker connected')
    client.subscribe([...deviceTopicFilters, ...uploads.filters, ...drivers.filters], { qos: 1 }, (error) => {
      if (error) return log.error({ url, reason: explain(error) }, 'local mqtt broker refuses')
      for (const message of engine.openDeltas('$hw/events/device/#')) publish(message)
    })
  })
  const down = (reason: string) => {
    // Once per reason, not once a second.
    if (reason !== told) log.warn({ url, reason }, 'local mqtt broker out of reach')
    told = reason
  }
  client.on('error', (error) => down(explain(error)))
  client.on('close', () => told === '' && down('the connection ended'))
  client.on('packetreceive', (packet) => requests.overhear(packet))
  client.on('message', (topic, payload, packet) => drivers.hear({ topic, payload, retained: packet.retain }))
  return {
    port: Number(new URL(url).port || (url.startsWith('mqtts:') ? 8883 : 1883)),
    publish,
    topics: drivers,
    stop: () => client.endAsync(true),
  }
}

/** What devices ask of edgecore. */
class Requests {
  readonly #client: MqttClient
  readonly #options: ExternalBrokerOptions
  /** Settles when every request so far is acknowledged, or its connection gone. */
  #last: Promise<void> = Promise.resolve()

  constructor(client: MqttClient, options: ExternalBrokerOptions) {
    this.#client = client
    this.#options = options
  }

  /**
   * Takes over the acknowledgement of a message: the client would take the next one only after this one is kept, one
   * transaction for each. It sees a message of QoS 0, which needs none.
   */
  overhear(packet: Packet): void {
    if (packet.cmd !== 'publish') return
    const { messageId, qos } = packet
    if (qos === 1) packet.qos = 0
    const taken = this.#take(packet)
    if (qos !== 1 || messageId === undefined) return
    const { stream } = this.#client
    const before = this.#last
    this.#last = taken.then(
      async () => {
        await before
        if (stream === this.#client.stream && this.#client.connected)
          mqttPacket.writeToStream({ cmd: 'puback', messageId }, stream)
      },
      async (error: unknown) => {
        await before
        this.#options.log.error({ topic: packet.topic, reason: explain(error) }, 'device request not kept')
        // The broker sends it again to a new connection; at once would be as fast as the disk can refuse it.
        if (stream === this.#client.stream) stream.destroy()
      },
    )
  }

  async #take({ topic, payload, retain }: IPublishPacket): Promise<void> {
    // A retained request is one that was answered long ago.
    if (retain) return
    const { engine, uploads } = this.#options
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const taken = engine.take(topic, bytes)
    if (taken === 'not ours') await uploads.take(topic, bytes)
    else if (taken !== 'not allowed') await taken
  }
}

/** The topics of drivers at that broker. */
class DriverTopics implements TopicSource {
  readonly #client: MqttClient
  readonly #open = new Map<string, (message: TopicMessage) => void>()

  constructor(client: MqttClient) {
    this.#client = client
  }

  get filters(): string[] {
    return [...this.#open.keys()]
  }

  hear(message: TopicMessage): void {
    for (const [filter, deliver] of this.#open) if (matches(filter, message.topic)) deliver(message)
  }

  open(filter: string, deliver: (message: TopicMessage) => void): () => void {
    this.#open.set(filter, deliver)
    this.#subscribe(filter)
    return () => {
      this.#open.delete(filter)
      if (this.#client.connected) this.#client.unsubscribe(filter)
    }
  }

  /** A broker sends what is retained to each new subscription (MQTT 3.1.1, 3.8.4): whoever listens hears it once more. */
  retained(filter: string): void {
    this.#subscribe(filter)
  }

  async publish({ topic, payload, qos = 1, retain = false }: Publication): Promise<void> {
    if (!this.#client.connected) throw new Error('the local MQTT broker is out of reach')
    await this.#client.publishAsync(topic, payload, { qos, retain })
  }

  #subscribe(filter: string): void {
    if (this.#client.connected) this.#client.subscribe(filter, { qos: 1 })
  }
}
