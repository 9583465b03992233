import { Acknowledged } from './acknowledged.ts'
import type { DeviceClient } from './device-client.ts'
import { eventually } from './eventually.ts'
import type { FleetNode } from './fleet.ts'

type DeviceKind = 'room' | 'guest'

/** The devices of one node of a fleet: what they say on MQTT, and what they were promised. */
export class NodeDevices {
  readonly #node: FleetNode
  readonly #next: () => number
  #client: DeviceClient | undefined
  readonly temperature = { room: new Acknowledged(), guest: new Acknowledged() }
  /** Desired values written at the device since the cloud's last edit. */
  readonly localTarget = new Acknowledged()
  state: string | undefined
  /** Of the newest guest in the API. */
  guestUid: string | undefined
  /** How many refusals were told as an event: one in each run of edgecore. */
  refusals = 0
  #refusedInThisRun = false

  constructor(node: FleetNode, next: () => number) {
    this.#node = node
    this.#next = next
  }

  /** Edgecore runs again. */
  async connect(): Promise<void> {
    this.#client = await this.#node.device()
    await this.#client.subscribe(
      '$hw/events/device/+/+/twin/update/result',
      '$hw/events/device/+/+/state/update/result',
    )
    this.#refusedInThisRun = false
  }

  name(kind: DeviceKind): string {
    return `${kind}-${this.#node.name}`
  }

  /**
   * So many reports, one after the other without waiting. Resolves when all are acknowledged, or the connection is gone.
   * `onKept` is called at each acknowledgement, in the moment that it comes.
   */
  async report(kind: DeviceKind, count: number, onKept: (acknowledged: number) => void = () => {}): Promise<void> {
    const expected = this.temperature[kind]
    // What is told to a device that the cloud has replaced meanwhile is forgotten with it.
    const isKept = kind === 'room' || (await this.#guestIsNewest())
    let acknowledged = 0
    for (let n = 0; n < count; n++) {
      const value = this.#next()
      expected.sends(value)
      this.#update(kind, { temperature: { actual: { value: `${value}` } } }, () => {
        acknowledged++
        if (isKept) expected.kept(value)
        onKept(acknowledged)
      })
    }
    await eventually(() => acknowledged === count || !this.#connected)
  }

  async desire(): Promise<void> {
    const value = this.#next()
    let done = false
    this.localTarget.sends(value)
    this.#update('room', { target: { expected: { value: `${value}` } } }, () => {
      done = true
      this.localTarget.kept(value)
    })
    await eventually(() => done || !this.#connected)
  }

  async say(state: string): Promise<void> {
    const topic = `$hw/events/device/default/${this.name('room')}/state/update`
    await this.#client?.publish(topic, { event_id: '', state })
    this.state = state
  }

  /** A report that is refused; once in a run of edgecore, for later ones are not told within a minute. */
  async badReport(): Promise<void> {
    if (this.#refusedInThisRun) return
    const id = `bad-${this.#next()}`
    const topic = `$hw/events/device/default/${this.name('room')}/twin/update`
    await this.#client?.publish(topic, { event_id: id, twin: { temperature: { actual: { value: 'warm' } } } })
    const answer = await eventually(() => this.#client?.seen.find(({ body }) => body?.event_id === id)?.body)
    if (answer.code !== 400) throw new Error(`not refused: ${JSON.stringify(answer)}`)
    this.#refusedInThisRun = true
    this.refusals++
  }

  async #guestIsNewest(): Promise<boolean> {
    const guest = (await this.#node.get('devices')).find(({ metadata }) => metadata.name === this.name('guest'))
    return guest !== undefined && guest.metadata.uid === this.guestUid
  }

  get #connected(): boolean {
    return this.#client?.mqtt.connected ?? false
  }

  #update(kind: DeviceKind, twin: unknown, onKept: () => void): void {
    const topic = `$hw/events/device/default/${this.name(kind)}/twin/update`
    this.#client?.mqtt.publish(topic, JSON.stringify({ twin }), { qos: 1 }, (error) => {
      if (!error) onKept()
    })
  }
}
