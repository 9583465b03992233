import type { Log } from '@kedge/shared/log'

const ours = ['$hw/events/device/', '$hw/events/node/']
/** So many topics are remembered as told. */
const most = 100

/**
 * Tells in the log of messages below KubeEdge's prefixes that mean nothing there, such as one with a misspelt action:
 * they have no topic for an answer. Each topic once, so that a device that repeats it does not fill the log.
 */
export class UnknownTopics {
  readonly #log: Log
  readonly #told = new Set<string>()

  constructor(log: Log) {
    this.#log = log
  }

  /** A message came on a topic that is none of `device-topics.ts`. */
  heed(topic: string): void {
    if (this.#told.has(topic) || !ours.some((prefix) => topic.startsWith(prefix))) return
    if (this.#told.size >= most) this.#told.clear()
    this.#told.add(topic)
    this.#log.warn({ topic }, 'message on an unknown device topic')
  }
}
