import { explain } from '@kedge/shared/errors'
import type { Driver, DriverDevice, DriverHost, RunningDevice } from '../driver.ts'
import type { TopicMessage, Topics } from '../topics.ts'
import { read, Said } from '../values.ts'
import { Hopeless, Writes } from '../writes.ts'
import { commandPayload, type MappedProperty, type MqttConfig, mqttConfig, type Watch } from './config.ts'
import type { Remote } from './remote.ts'

/**
 * Devices that speak MQTT in topics of their own: each property says on which topic it is reported, where in the payload,
 * and how it is written. The broker is edgecore's own, or one that the device names.
 */
export const mqttDriver: Driver = {
  protocols: ['mqtt'],
  start: async (device, host) => {
    const config = mqttConfig(device, (field) => host.tell('UnknownField', `${field} is not known and ignored`))
    if (config.broker === undefined) return new MqttDevice(device, host, { config, topics: host.topics })
    // Loaded here: most nodes have their devices on their own broker.
    const { joinBroker } = await import('./remote.ts')
    const remote = joinBroker(config.broker, host.log)
    return new MqttDevice(device, host, { config, topics: remote.topics, remote })
  },
}

/** What a topic means: whichever properties and availabilities it carries. */
interface Meaning {
  properties: MappedProperty[]
  watches: Watch[]
}

class MqttDevice implements RunningDevice {
  readonly #device: DriverDevice
  readonly #host: DriverHost
  readonly #config: MqttConfig
  readonly #topics: Topics
  readonly #remote: Remote | undefined
  readonly #writes: Writes
  readonly #desired: Map<string, string>
  readonly #reported: Map<string, string>
  /** What each availability said last. */
  readonly #available = new Map<Watch, boolean>()
  readonly #leave: (() => void)[] = []
  #online = false
  #silence: NodeJS.Timeout | undefined
  #stopped = false

  constructor(
    device: DriverDevice,
    host: DriverHost,
    { config, topics, remote }: { config: MqttConfig; topics: Topics; remote?: Remote },
  ) {
    this.#device = device
    this.#host = host
    this.#config = config
    this.#topics = topics
    this.#remote = remote
    this.#desired = new Map(device.desired)
    this.#reported = new Map(device.reported)
    const { random } = host
    this.#writes = new Writes({ write: (property, value) => this.#write(property, value), failed: host.failed, random })
    for (const [filter, meaning] of meanings(config)) {
      this.#leave.push(
        topics.subscribe(
          filter,
          host.guard((message) => this.#hear(message, meaning)),
        ),
      )
    }
    remote?.watch(host.guard((up, why) => this.#reached(up, why)))
    this.#awaitWords()
    this.#writes.put(this.#missing())
  }

  desired(changes: Readonly<Record<string, string>>): void {
    for (const [property, value] of Object.entries(changes)) {
      if (value === '') this.#desired.delete(property)
      else this.#desired.set(property, value)
    }
    this.#writes.put(changes)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#silence)
    for (const leave of this.#leave) leave()
    await this.#writes.stop()
    await this.#remote?.leave()
  }

  #hear(message: TopicMessage, { properties, watches }: Meaning): void {
    const said = new Said(message.payload.toString('utf8'))
    for (const watch of watches) this.#watch(said, watch)
    const values: Record<string, string> = {}
    for (const property of properties) {
      if (message.retained && property.ignoreRetained) continue
      try {
        const value = read(said, property.reader)
        if (value !== undefined) values[property.name] = value
      } catch (error) {
        this.#host.failed(`property ${property.name}: topic ${message.topic}: ${explain(error)}`)
      }
    }
    this.#report(values)
    if (!message.retained) this.#heard(watches.length === 0)
  }

  #report(values: Readonly<Record<string, string>>): void {
    if (Object.keys(values).length === 0) return
    for (const [property, value] of Object.entries(values)) this.#reported.set(property, value)
    this.#host.report(values).catch((error: unknown) => this.#host.failed(explain(error)))
  }

  #watch(said: Said, watch: Watch): void {
    const word = read(said, watch.reader)
    if (word !== watch.online && word !== watch.offline) {
      if (word !== undefined) {
        const right = `${watch.online} and ${watch.offline}`
        this.#host.failed(
          `availability: topic ${watch.topic} said ${JSON.stringify(word.slice(0, 80))}, known are ${right}`,
        )
      }
      return
    }
    this.#available.set(watch, word === watch.online)
    if ([...this.#available.values()].includes(false)) this.#say('offline')
    else this.#say('online')
  }

  /** A live word from the device: it is there, unless its availability says otherwise. */
  #heard(ofProperties: boolean): void {
    this.#awaitWords()
    if (ofProperties && ![...this.#available.values()].includes(false)) this.#say('online')
  }

  /** Without a word for so long, the device is taken to be away. */
  #awaitWords(): void {
    clearTimeout(this.#silence)
    const { offlineAfterMs } = this.#config
    if (offlineAfterMs === undefined || this.#stopped) return
    this.#silence = setTimeout(() => this.#say('offline'), offlineAfterMs)
  }

  #reached(up: boolean, why: string): void {
    if (up) return this.#writes.now()
    if (why === 'connecting') return
    this.#available.clear()
    this.#host.failed(`broker ${this.#config.broker?.url}: ${why}`)
    this.#say('unknown')
  }

  #say(state: 'online' | 'offline' | 'unknown'): void {
    const back = state === 'online' && !this.#online
    this.#online = state === 'online'
    this.#host.state(state).catch((error: unknown) => this.#host.failed(explain(error)))
    // It may have missed what it was told while it was away.
    if (back) this.#writes.put(this.#missing())
  }

  /** Desired values that the device does not report. */
  #missing(): Record<string, string> {
    const writable = this.#config.properties.filter(({ command }) => command !== undefined)
    const open = writable.filter(
      ({ name }) => this.#desired.has(name) && this.#desired.get(name) !== this.#reported.get(name),
    )
    return Object.fromEntries(open.map(({ name }) => [name, this.#desired.get(name) ?? '']))
  }

  async #write(name: string, value: string): Promise<void> {
    const property = this.#config.properties.find((each) => each.name === name)
    if (property?.command === undefined) throw new Hopeless('the property has no visitors.configData.command.topic')
    const { topic, qos, retain } = property.command
    await this.#topics.publish({ topic, payload: payloadOf(property, value), qos, retain })
    this.#host.log.debug({ property: name, topic, of: this.#device.name }, 'command published')
    // Nobody will ever report it.
    if (property.topics.length === 0) this.#report({ [name]: value })
  }
}

function payloadOf(property: MappedProperty, value: string): string {
  try {
    return commandPayload(property, value)
  } catch (error) {
    throw new Hopeless(explain(error))
  }
}

function meanings({ properties, availability }: MqttConfig): Map<string, Meaning> {
  const all = new Map<string, Meaning>()
  const at = (filter: string) => {
    const known = all.get(filter) ?? { properties: [], watches: [] }
    all.set(filter, known)
    return known
  }
  for (const property of properties) for (const topic of property.topics) at(topic).properties.push(property)
  for (const watch of availability) at(watch.topic).watches.push(watch)
  return all
}
