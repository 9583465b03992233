import type { Clock } from '@kedge/shared/clock'
import { matches } from '@kedge/shared/device-topics'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { maxUploadBytes, maxUploadTopic } from '@kedge/shared/reports'
import { newEventId } from '../reports/event-id.ts'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { Refusals } from './refusals.ts'

export interface UploadsOptions {
  /** Without it they pass the local broker as any other message does. */
  enabled: boolean
  store: Pick<Store, 'commit'>
  outbox: Pick<Outbox, 'add'>
  nodeName: string
  clock: Clock
  log: Log
}

/** The topics that KubeEdge carries to the cloud. */
export const uploadFilters: readonly string[] = ['$hw/events/upload/#', 'SYS/dis/upload_records', '+/user/#']

/** Prefixes that are remembered as told. */
const mostTold = 100

/**
 * What clients publish for the cloud on KubeEdge's upload topics.
 *
 * Invariant: the promise of `take` resolves once the message is in the outbox; the broker acknowledges it after that.
 */
export class Uploads {
  readonly #options: UploadsOptions
  readonly #refusals = new Refusals()
  readonly #told = new Set<string>()

  constructor(options: UploadsOptions) {
    this.#options = options
  }

  /** What a broker that is not edgecore's own has to be asked for. */
  get filters(): readonly string[] {
    return this.#options.enabled ? uploadFilters : []
  }

  /** Keeps a message for the cloud; undefined when it is not for the cloud. Rejects when it could not be kept. */
  take(topic: string, payload: Buffer): Promise<void> | undefined {
    const filter = uploadFilters.find((each) => matches(each, topic))
    if (filter === undefined) return undefined
    if (!this.#options.enabled) return this.#tellOff(filter, topic)
    if (payload.length > maxUploadBytes)
      return this.#refuse(`${payload.length} bytes on ${topic}: an upload has at most ${maxUploadBytes}`)
    if (topic.length > maxUploadTopic)
      return this.#refuse(`a topic of ${topic.length} characters: an upload has at most ${maxUploadTopic}`)
    const { store, outbox, clock } = this.#options
    const at = clock.now()
    const report = { is: 'upload', id: newEventId(at), topic, payload: payload.toString('base64'), at } as const
    return store.commit(() => outbox.add(report), 'spaced')
  }

  #tellOff(filter: string, topic: string): undefined {
    const prefix = filter.startsWith('+') ? topic.slice(0, topic.indexOf('/') + '/user'.length) : filter
    if (this.#told.has(prefix) || this.#told.size >= mostTold) return
    this.#told.add(prefix)
    this.#options.log.debug({ topic, advice: 'start edgecore with --uploads' }, 'upload stays on this node')
  }

  /** It still passes the local broker: MQTT has no word for one message that is too large. */
  #refuse(text: string): undefined {
    const { store, outbox, nodeName, clock, log } = this.#options
    const message = this.#refusals.say({ device: '', reason: 'UploadRefused', text, at: clock.monotonic() })
    if (message === undefined) return
    log.warn({ reason: message }, 'upload refused')
    const at = clock.now()
    const regarding = { apiVersion: 'v1', kind: 'Node', name: nodeName }
    const event = { is: 'event', id: newEventId(at), regarding, type: 'Warning', reason: 'UploadRefused' } as const
    store
      .commit(() => outbox.add({ ...event, message: message.slice(0, 1024), at, by: 'devices' }))
      .catch((error: unknown) => log.error({ reason: explain(error) }, 'event not kept'))
  }
}
