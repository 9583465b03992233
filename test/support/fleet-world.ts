import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import type { Fleet, FleetNode } from './fleet.ts'
import { configMap, podOn, room, roomModel } from './manifests.ts'
import { NodeDevices } from './node-devices.ts'
import type { Step } from './schedule.ts'

/** A node of the world: what runs it, what its devices do, and what the cloud wants of them. */
export interface Place {
  readonly node: FleetNode
  readonly devices: NodeDevices
  /** The desired value of the room's target that the API accepted last. */
  cloudTarget: string | undefined
  /** Its network carries everything. */
  isOpen: boolean
}

/** One way, as over a satellite. */
const slowMs = 300
const narrowBytesPerSecond = 4000

/** A fleet to which a schedule happens. Steps that make no sense at the moment do nothing. */
export class FleetWorld {
  readonly fleet: Fleet
  readonly places: readonly Place[]
  /** Values of ConfigMaps that the API accepted last, by name; undefined for a deleted one. */
  readonly configs = new Map<string, string | undefined>()
  /** Events that were seen in an outbox. */
  readonly events = new Map<string, string>()
  #cloudRuns = true
  #last = 1000

  constructor(fleet: Fleet) {
    this.fleet = fleet
    this.places = fleet.nodes.map((node) => {
      const devices = new NodeDevices(node, () => ++this.#last)
      return { node, devices, cloudTarget: undefined, isOpen: true }
    })
  }

  /** Everything that all schedules begin with. */
  async prepare(): Promise<void> {
    const { api } = this.fleet
    await api.create(roomModel())
    for (const place of this.places) {
      const { node, devices } = place
      await this.#createGuest(place)
      await api.create(room(devices.name('room'), node.name))
      await devices.connect()
      await eventually(async () => (await node.keys()).length === 2)
    }
    for (const name of ['config-0', 'config-1']) await this.#editConfig(name)
  }

  async do(step: Step): Promise<void> {
    switch (step.is) {
      case 'pause':
        return pause(step.ms)
      case 'kill-cloud':
      case 'stop-cloud':
        this.#cloudRuns = false
        return this.fleet.stopCloud(step.is === 'kill-cloud' ? 'kill' : 'stop')
      case 'start-cloud':
        return this.#startCloud()
      case 'edit-config':
      case 'delete-config':
        return this.#person(step)
      default: {
        const place = this.places[step.node]
        if (place === undefined) throw new Error(`no node ${step.node}`)
        return this.#at(place, step)
      }
    }
  }

  /** Links and programs as they should be. */
  async heal(): Promise<void> {
    await this.#startCloud()
    for (const place of this.places) {
      this.#link(place, 'heal')
      await this.#start(place)
    }
  }

  async #at(place: Place, step: Extract<Step, { node: number }>): Promise<void> {
    const { node, devices } = place
    switch (step.is) {
      case 'cut':
      case 'stall':
      case 'mute':
      case 'slow':
      case 'narrow':
      case 'heal':
        return this.#link(place, step.is)
      case 'kill-edge':
        return this.#stop(place, 'kill')
      case 'stop-edge':
        return this.#stop(place, 'stop')
      case 'start-edge':
        return this.#start(place)
      case 'catch-up':
        return this.#catchUp(place)
      case 'desire':
      case 'create-pod':
      case 'delete-pod':
      case 'replace-guest':
        return this.#cloudRuns ? this.#person(step, place) : undefined
      default:
        if (!node.running) return
    }
    switch (step.is) {
      case 'report':
        return devices.report(step.device, step.count)
      case 'report-and-kill':
        return this.#reportAndKill(place, step)
      case 'local-desire':
        return devices.desire()
      case 'state':
        return devices.say(step.online ? 'online' : 'offline')
      case 'bad-report':
        return devices.badReport()
    }
  }

  #link(place: Place, what: 'cut' | 'stall' | 'mute' | 'slow' | 'narrow' | 'heal'): void {
    const { link } = place.node
    if (what === 'slow') link.slow(slowMs)
    else if (what === 'narrow') link.narrow(narrowBytesPerSecond)
    else link[what]()
    place.isOpen = what === 'heal'
  }

  async #startCloud(): Promise<void> {
    if (!this.#cloudRuns) await this.fleet.startCloud()
    this.#cloudRuns = true
  }

  async #start({ node, devices }: Place): Promise<void> {
    if (node.running) return
    await node.start()
    await devices.connect()
  }

  async #stop({ node }: Place, how: 'stop' | 'kill'): Promise<void> {
    await node.stop(how)
    for (const { report } of await node.get('outbox'))
      if (report.is === 'event') this.events.set(report.id, report.reason)
  }

  /** A power cut in the moment in which a device hears that its report is kept. */
  async #reportAndKill(place: Place, { count, after }: { count: number; after: number }): Promise<void> {
    const { pid } = place.node.edge
    await place.devices.report('room', count, (acknowledged) => {
      if (acknowledged === Math.min(after, count) && pid !== undefined) process.kill(pid, 'SIGKILL')
    })
    await this.#stop(place, 'kill')
  }

  /** Waits until a node that can do so has told all that it has to tell. */
  async #catchUp({ node, isOpen }: Place): Promise<void> {
    if (!node.running || !this.#cloudRuns || !isOpen) return
    await eventually(async () => (await node.get('outbox')).length === 0, { within: 60_000 })
  }

  async #editConfig(name: string): Promise<void> {
    const value = `${++this.#last}`
    const { api } = this.fleet
    if (this.configs.get(name) === undefined) await api.create(configMap(name, { value }))
    else await api.patch(`configmaps/default/${name}`, { data: { value } })
    this.configs.set(name, value)
  }

  async #createGuest({ node, devices }: Place): Promise<void> {
    const { api } = this.fleet
    const name = devices.name('guest')
    await api.create(room(name, node.name))
    devices.guestUid = (await api.get(`devices/default/${name}`)).metadata.uid
  }

  async #person(step: Step, place?: Place): Promise<void> {
    if (!this.#cloudRuns) return
    const { api } = this.fleet
    if (step.is === 'edit-config') return this.#editConfig(`config-${step.config}`)
    if (step.is === 'delete-config') {
      const name = `config-${step.config}`
      if (this.configs.get(name) !== undefined) await api.remove(`configmaps/default/${name}`)
      this.configs.set(name, undefined)
    }
    if (place === undefined) return
    const { node, devices } = place
    if (step.is === 'desire') {
      const target = `${++this.#last}`
      devices.localTarget.forget()
      await api.desire(`devices/default/${devices.name('room')}`, { target })
      place.cloudTarget = target
    }
    if (step.is === 'create-pod') {
      const simulate = step.fails ? { pullError: 'no such image' } : {}
      const name = `pod-${step.pod}-${node.name}`
      if ((await api.find(`pods/default/${name}`)) !== undefined) return
      await api.create(podOn(name, node.name, { configMap: `config-${step.config}`, simulate }))
    }
    if (step.is === 'delete-pod') {
      const key = `pods/default/pod-${step.pod}-${node.name}`
      const pod = await api.find(key)
      if (pod !== undefined && pod.metadata.deletionTimestamp === undefined) await api.remove(key)
    }
    if (step.is === 'replace-guest') {
      const name = devices.name('guest')
      await api.remove(`devices/default/${name}`)
      devices.temperature.guest.forget()
      await this.#createGuest(place)
    }
  }
}
