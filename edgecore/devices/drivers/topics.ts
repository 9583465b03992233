import { matches } from '@kedge/shared/device-topics'

export interface TopicMessage {
  topic: string
  payload: Buffer
  /** True for a message that the broker had kept. */
  retained: boolean
}

export interface Publication {
  topic: string
  payload: string
  qos?: 0 | 1 | undefined
  retain?: boolean | undefined
}

/** What drivers do with an MQTT broker, whichever it is. */
export interface Topics {
  /** Hears what is published on a filter's topics, retained messages first. Returns what ends that. */
  subscribe(filter: string, hear: (message: TopicMessage) => void): () => void
  /** Resolves once the broker has the message; rejects when it cannot have it now. */
  publish(message: Publication): Promise<void>
}

/** The broker's side of it: one subscription per filter, however many hear it. */
export interface TopicSource {
  /** Starts to deliver what is published on a filter, and what is retained there. Returns what ends that. */
  open(filter: string, deliver: (message: TopicMessage) => void): () => void
  /** Delivers what is retained on a filter. */
  retained(filter: string, deliver: (message: TopicMessage) => void): void
  publish(message: Publication): Promise<void>
}

interface Shared {
  listeners: Set<(message: TopicMessage) => void>
  close: (() => void) | undefined
}

/**
 * Shares one broker among drivers.
 *
 * Invariant: a filter is open at the broker exactly while somebody listens and there is a broker; who subscribes before
 * that is served when it comes.
 */
export class SharedTopics implements Topics {
  readonly #filters = new Map<string, Shared>()
  #source: TopicSource | undefined
  #waiting: (() => void)[] = []

  attach(source: TopicSource): void {
    this.#source = source
    this.close()
    for (const [filter, shared] of this.#filters) this.#open(filter, shared)
  }

  subscribe(filter: string, hear: (message: TopicMessage) => void): () => void {
    const known = this.#filters.get(filter)
    const shared = known ?? { listeners: new Set(), close: undefined }
    // Another function each time: two properties may hear with the same one.
    const listener = (message: TopicMessage) => {
      // A wildcard in front does not reach topics that begin with "$" (MQTT 3.1.1, 4.7.2).
      if (matches(filter, message.topic)) hear(message)
    }
    shared.listeners.add(listener)
    this.#filters.set(filter, shared)
    if (known === undefined) this.#open(filter, shared)
    else this.#source?.retained(filter, (message) => shared.listeners.has(listener) && listener(message))
    return () => {
      if (!shared.listeners.delete(listener) || shared.listeners.size > 0) return
      this.#filters.delete(filter)
      shared.close?.()
    }
  }

  async publish(message: Publication): Promise<void> {
    const fault = topicFault(message.topic, 'no wildcards')
    if (fault !== undefined) throw new Error(`the topic ${fault}`)
    if (this.#source === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#source === undefined) throw new Error('the local MQTT broker is not open')
    await this.#source.publish(message)
  }

  /** Nobody waits for a broker any longer. */
  close(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #open(filter: string, shared: Shared): void {
    shared.close = this.#source?.open(filter, (message) => {
      for (const listener of [...shared.listeners]) listener(message)
    })
  }
}

/** Why a driver may not use a topic or filter, or undefined when it may. */
export function topicFault(topic: string, wildcards: 'wildcards' | 'no wildcards'): string | undefined {
  if (topic === '') return 'is empty: give an MQTT topic'
  if (topic.startsWith('$')) return `is ${topic}: topics that begin with $ belong to edgecore and its broker`
  if (/[\0\p{Surrogate}]/u.test(topic)) return 'has a character that MQTT does not allow'
  if (wildcards === 'no wildcards' && /[+#]/.test(topic)) return `is ${topic}: a topic to publish on has no + and no #`
  const misplaced = topic.split('/').some((level, at, all) => {
    if (level === '#') return at !== all.length - 1
    return level.length > 1 && /[+#]/.test(level)
  })
  return misplaced ? `is ${topic}: + stands for a whole level, # for all that follow at the end` : undefined
}
