import fc from 'fast-check'
import { Acknowledged } from './acknowledged.ts'
import { type Api, statusTwins } from './api.ts'
import type { DeviceClient } from './device-client.ts'
import { eventually } from './eventually.ts'
import { Fleet } from './fleet.ts'
import { configMap, podOn, room, roomModel } from './manifests.ts'

/** One life of an edgecore, and how it ends. */
export interface Cycle {
  /** It is killed so many answers to devices after its start, */
  answers: number
  /** and so many milliseconds later. */
  ms: number
  /** cloudcore is killed in the same moment. */
  cloud: boolean
  /** What a person edits in the API meanwhile. */
  edit: 'config' | 'desired' | 'nothing'
}

/** `count` cycles that depend on the seed alone; cloudcore is killed in every eighth on average. */
export function cyclesOf(seed: number, count: number): Cycle[] {
  const cycle = fc.record({
    answers: fc.nat(40),
    ms: fc.nat(80),
    cloud: fc.nat(7).map((draw) => draw === 0),
    edit: fc.constantFrom('config', 'desired', 'nothing'),
  })
  return fc.sample(cycle, { seed, numRuns: count })
}

const node = 'edge-1'
const rooms = ['room-0', 'room-1', 'room-2', 'room-3']
const config = 'configmaps/default/settings'
/** Updates of one device on their way at once. */
const inFlight = 4

const topic = (name: string, action: string) => `$hw/events/device/default/${name}/${action}`
const key = (name: string) => `devices/default/${name}`

/**
 * An edgecore that is killed again and again while its devices report and people edit. Every value is a number that only
 * grows, so that an older one in place of a newer one is seen.
 */
export class KillCycles {
  readonly #fleet: Fleet
  readonly #reported = new Map(rooms.map((name) => [name, new Acknowledged()]))
  readonly #desired = new Acknowledged()
  readonly #config = new Acknowledged()
  #last = 10
  /** Updates that were answered in all cycles. */
  answered = 0

  private constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  static async start(): Promise<KillCycles> {
    const fleet = await Fleet.start({ nodes: [node], cloud: 'process', edges: 'process', statusInterval: 500 })
    await fleet.api.create(roomModel(), ...rooms.map((name) => room(name, node)))
    await fleet.api.create(configMap('settings', { value: '0' }), podOn('web', node, { configMap: 'settings' }))
    await eventually(async () => (await fleet.node(node).keys()).length === rooms.length + 2)
    return new KillCycles(fleet)
  }

  /** Lets edgecore live, kills it, starts it again, and looks whether it knows what it answered. */
  async run({ answers, ms, cloud, edit }: Cycle): Promise<void> {
    const fleet = this.#fleet
    const edge = fleet.node(node)
    const devices = await edge.device()
    const edited = this.#edit(fleet.api, edit)
    const heard = await this.#report(devices)
    await eventually(() => heard() >= answers, { every: 1 })
    await new Promise((resolve) => setTimeout(resolve, ms))
    await Promise.all([edge.stop('kill'), cloud && fleet.stopCloud('kill')])
    devices.mqtt.end(true)
    await edited
    this.answered += heard()
    await Promise.all([edge.start(), cloud && fleet.startCloud()])
    await this.#expectAnswered()
  }

  /** Waits until the edge and the API have all that was acknowledged on either side, and agree. */
  async agree(): Promise<void> {
    const { api } = this.#fleet
    const edge = this.#fleet.node(node)
    await eventually(
      async () => {
        const [held] = await edge.get('configmaps')
        demand('the ConfigMap at the edge', this.#config, held.data.value)
        const twins = await edge.twins()
        demand('the desired value at the edge', this.#desired, twins['default/room-0/target']?.desired)
        for (const [name, reported] of this.#reported) {
          const shown = statusTwins(await api.get(key(name))).temperature?.reported
          demand(`${name} in the API`, reported, shown)
          const kept = twins[`default/${name}/temperature`]?.reported
          if (kept !== shown) throw new Error(`${name}: ${kept} at the edge, ${shown} in the API`)
        }
        return true
      },
      { within: 60_000, every: 50 },
    )
    await this.#fleet.level()
    const fatal = [...this.#fleet.cloudLog, ...edge.log].filter(({ level }) => level === 'fatal')
    if (fatal.length > 0) throw new Error(`a program gave up: ${JSON.stringify(fatal[0])}`)
  }

  /** Keeps updates of every device on their way; the function that it resolves with counts the answers. */
  async #report(devices: DeviceClient): Promise<() => number> {
    const sent = new Map<string, { name: string; value: number }>()
    let answers = 0
    const send = (name: string) => {
      const value = ++this.#last
      sent.set(String(value), { name, value })
      this.#reported.get(name)?.sends(value)
      const update = { event_id: String(value), twin: { temperature: { actual: { value: String(value) } } } }
      devices.mqtt.publish(topic(name, 'twin/update'), JSON.stringify(update), { qos: 1 })
    }
    devices.mqtt.on('message', (_topic, payload) => {
      const { event_id: id, code, reason } = JSON.parse(payload.toString())
      const { name, value } = sent.get(id) ?? {}
      if (name === undefined || value === undefined) return
      if (code !== undefined) throw new Error(`${name}: ${value} was refused: ${reason}`)
      answers++
      this.#reported.get(name)?.kept(value)
      send(name)
    })
    await devices.subscribe(topic('+', 'twin/update/result'))
    for (const name of rooms) for (let n = 0; n < inFlight; n++) send(name)
    return () => answers
  }

  /** What a person does; an edit that was not answered may have been taken or not. */
  async #edit(api: Api, edit: Cycle['edit']): Promise<void> {
    if (edit === 'nothing') return
    const value = ++this.#last
    const [acknowledged, write] =
      edit === 'config'
        ? [this.#config, () => api.patch(config, { data: { value: String(value) } })]
        : [this.#desired, () => api.desire(key('room-0'), { target: String(value) })]
    acknowledged.sends(value)
    await write().then(
      () => acknowledged.kept(value),
      () => {},
    )
  }

  async #expectAnswered(): Promise<void> {
    const devices = await this.#fleet.node(node).device()
    await devices.subscribe(topic('+', 'twin/get/result'))
    for (const [name, reported] of this.#reported) {
      await devices.publish(topic(name, 'twin/get'), {})
      const { body } = await eventually(() => devices.on(topic(name, 'twin/get/result'))[0], { every: 2 })
      demand(`${name} after a kill`, reported, body.twin?.temperature?.actual?.value)
    }
    devices.mqtt.end(true)
  }
}

function demand(what: string, expected: Acknowledged, found: string | undefined): void {
  if (!expected.allows(found)) throw new Error(`${what}: ${found}, not ${expected}`)
}
