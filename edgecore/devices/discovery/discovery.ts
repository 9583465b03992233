import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Announcement } from '@kedge/shared/proposals'
import type { TopicMessage, Topics } from '../drivers/topics.ts'
import { type HaEntity, haDevice, haDeviceId, haEntities, homeAssistantFilter } from './home-assistant.ts'
import { zigbee2mqttDevices, zigbee2mqttFilter } from './zigbee2mqtt.ts'

export interface DiscoveryOptions {
  topics: Pick<Topics, 'subscribe'>
  /** What is announced has changed. */
  onChange?: () => void
  log: Log
}

/** Entities of Home Assistant that are kept, and bytes of one announcement that are read. */
const maxEntities = 5000
const maxBytes = 4 * 1024 * 1024

/**
 * Hears what zigbee2mqtt and Home Assistant's discovery announce on the local broker. All of it is retained there, so
 * that nothing has to be kept here.
 *
 * Invariant: an announcement that is taken back, or replaced, is gone.
 */
export class Discovery {
  readonly #options: DiscoveryOptions
  /** By base topic. */
  readonly #zigbee = new Map<string, Announcement[]>()
  /** By topic. */
  readonly #entities = new Map<string, HaEntity[]>()
  readonly #end: (() => void)[]
  #full = false

  constructor(options: DiscoveryOptions) {
    this.#options = options
    const { topics } = options
    this.#end = [
      topics.subscribe(zigbee2mqttFilter, (message) => this.#hear(message, this.#takeZigbee)),
      topics.subscribe(homeAssistantFilter, (message) => this.#hear(message, this.#takeEntities)),
    ]
  }

  /** Whether nothing is announced: cheaper than to look at what is. */
  get isEmpty(): boolean {
    return this.#zigbee.size === 0 && this.#entities.size === 0
  }

  /** Devices that are announced now. A device that zigbee2mqtt announces in both ways is there once. */
  get announcements(): Announcement[] {
    const zigbee = [...this.#zigbee.values()].flat()
    const others = [...this.#byDevice()].flatMap(([id, entities]) => {
      if (id.startsWith('homeassistant/zigbee2mqtt_') && zigbee.length > 0) return []
      return haDevice(id, entities) ?? []
    })
    return [...zigbee, ...others]
  }

  #byDevice(): Map<string, HaEntity[]> {
    const found = new Map<string, HaEntity[]>()
    for (const entity of [...this.#entities.values()].flat()) {
      const id = haDeviceId(entity)
      found.set(id, [...(found.get(id) ?? []), entity])
    }
    return found
  }

  stop(): void {
    for (const end of this.#end) end()
  }

  #hear(message: TopicMessage, take: (topic: string, text: string) => boolean): void {
    const { onChange, log } = this.#options
    const { topic, payload } = message
    try {
      if (payload.length > maxBytes) throw new Error(`${payload.length} bytes, at most ${maxBytes} are read`)
      if (take.call(this, topic, payload.toString('utf8'))) onChange?.()
    } catch (error) {
      log.warn({ topic, reason: explain(error).slice(0, 500) }, 'announcement not understood')
    }
  }

  #takeZigbee(topic: string, text: string): boolean {
    const base = topic.slice(0, topic.indexOf('/'))
    if (text === '') return this.#zigbee.delete(base)
    this.#zigbee.set(base, zigbee2mqttDevices(base, text))
    return true
  }

  #takeEntities(topic: string, text: string): boolean {
    const entities = haEntities(topic, text)
    if (entities.length === 0) return this.#entities.delete(topic)
    if (this.#entities.size >= maxEntities && !this.#entities.has(topic)) {
      if (!this.#full)
        this.#options.log.warn({ kept: maxEntities }, 'too many announcements, further ones are left out')
      this.#full = true
      return false
    }
    this.#entities.set(topic, entities)
    return true
  }
}
