import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Store } from '../../store/store.ts'
import type { Entry } from '../registry.ts'
import { choose } from './choice.ts'
import type { LinkPatience } from './link.ts'
import { Mapper } from './mapper.ts'
import type { MapperCounts } from './metrics.ts'
import { answerOf, type Registered, wantsAtRegistration } from './registration.ts'
import type { MapperInfo } from './requests.ts'
import { Slots } from './slots.ts'
import type { MapperRow, MapperTable } from './table.ts'
import { wantOf } from './want.ts'

/** What mappers need of the devices of this node. */
export interface MappedDevices {
  get(id: string): Entry | undefined
  all(): Iterable<Entry>
  state(entry: Entry, state: string): Promise<void>
  warn(entry: Entry, reason: string, text: string): void
  /** Which attachment serves these devices may have changed. */
  reattach(ids: readonly string[]): void
}

export interface MappersOptions {
  store: Store
  table: MapperTable
  devices: MappedDevices
  patience: LinkPatience
  clock: Clock
  /** A draw from [0, 1). */
  random: () => number
  log: Log
}

/**
 * The mappers of this node and which devices each of them serves.
 *
 * Invariant: a registration is on disk before it is answered, and holds until the mapper registers otherwise: its devices
 * are its own also while it is away, and after a restart of edgecore.
 */
export class Mappers {
  readonly #options: MappersOptions
  readonly #mappers = new Map<string, Mapper>()
  /** Devices shown as unhealthy because of their mapper. */
  readonly #shown = new Set<string>()
  readonly #door = new Slots(1)
  #failures = 0
  #started = false
  #stopped = false

  constructor(options: MappersOptions) {
    this.#options = options
    for (const row of options.table.all()) this.#add(row, options.table.devicesOf(row.name))
  }

  /** Seeks the mappers of earlier runs; call it once the devices are what the cloud wants them to be. */
  async start(): Promise<void> {
    const { store, table, log } = this.#options
    try {
      // Before anything is told: what the last stop has left must not outlive it.
      await store.commit(() => table.clearHashes())
    } catch (error) {
      log.error({ reason: explain(error) }, 'what mappers hold is not sure')
      for (const mapper of this.#mappers.values()) mapper.doubtAll()
    }
    if (this.#stopped) return
    this.#started = true
    for (const mapper of this.#mappers.values()) mapper.start()
  }

  /** Ends all connections, and keeps what each mapper holds, so that the next run need not tell it again. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const { store, table, log } = this.#options
    for (const mapper of this.#mappers.values()) mapper.stop()
    const held = [...this.#mappers.values()].flatMap(({ name, told }) =>
      [...told].map((each) => [name, ...each] as const),
    )
    if (!this.#started || held.length === 0) return
    await store
      .commit(() => {
        for (const [name, device, hash] of held) if (hash !== undefined) table.putHash(name, device, hash)
      })
      .catch((error: unknown) => log.error({ reason: explain(error) }, 'what mappers hold not kept'))
  }

  /** Whether a mapper, and nothing else, serves a device. */
  serves({ device, problem }: Entry): boolean {
    return problem === undefined && choose(device, this.#mappers.values()) !== undefined
  }

  get counts(): MapperCounts {
    const all = [...this.#mappers.values()]
    return { registered: all.length, reached: all.filter(({ isUp }) => isUp).length, failures: this.#failures }
  }

  /** A device changed, came or went. */
  wake(id: string): void {
    const { devices } = this.#options
    const entry = devices.get(id)
    const chosen = entry && choose(entry.device, this.#mappers.values())
    if (entry === undefined) this.#shown.delete(id)
    else if (chosen !== undefined) {
      const why = whyAway(chosen)
      if (why !== undefined) devices.warn(entry, 'MapperUnavailable', why)
    }
    for (const mapper of this.#mappers.values()) mapper.wake(id)
  }

  /** Takes a mapper in; resolves, once that is on disk, with the devices and models that it asked for. */
  register(info: MapperInfo, withData: boolean): Promise<Registered> {
    // One after the other: a mapper that tries again must not be taken in twice.
    return this.#door.use(() => this.#register(info, withData))
  }

  async #register(info: MapperInfo, withData: boolean): Promise<Registered> {
    const { store, table, devices, clock, log } = this.#options
    const order = 1 + Math.max(0, ...[...this.#mappers.values()].map((each) => each.order))
    const row = { ...info, order }
    const before = this.#mappers.get(info.name)
    // Whoever listens at the same socket now is this one.
    const gone = [...this.#mappers.values()].filter((each) => each.row.address === info.address && each !== before)
    const others = [...this.#mappers.values()].filter((each) => each !== before && !gone.includes(each))
    const around = { others, entries: devices.all(), clock }
    const wants = withData ? wantsAtRegistration({ ...row, absent: false }, around) : []
    await store.commit(() => {
      for (const { name } of gone) table.drop(name)
      table.put(row)
      for (const { described } of wants) table.putDevice(row.name, `${described.namespace}/${described.name}`)
    })
    const { name, protocol, version, address } = row
    log.info({ mapper: name, protocol, version, address, devices: wants.length }, 'mapper registered')
    for (const each of gone) this.#drop(each)
    if (before) this.#drop(before)
    // What it was told before and is not given now goes by calls: it may still have that.
    const mapper = this.#add(row, before?.told ?? new Map())
    mapper.gave(wants)
    if (this.#started && !this.#stopped) mapper.start()
    devices.reattach(this.#idsOf([protocol, before?.protocol, ...gone.map((each) => each.protocol)]))
    return answerOf(wants)
  }

  #add(row: MapperRow, told: ReadonlyMap<string, string | undefined>): Mapper {
    const { store, table, devices, patience, random, log } = this.#options
    const mapper: Mapper = new Mapper({
      row,
      told,
      want: (id) => {
        const entry = devices.get(id)
        const isOurs = entry !== undefined && choose(entry.device, this.#mappers.values()) === mapper
        return isOurs ? wantOf(entry) : undefined
      },
      remember: (id) => store.commit(() => table.putDevice(row.name, id)),
      // After a new registration the rows are those of the new one.
      forget: (id) =>
        store.commit(() => this.#mappers.get(row.name) === mapper && table.dropDevice(row.name, id)).then(),
      onFailed: (id, reason) => this.#failed(id, `mapper ${row.name}: ${reason}`),
      onSettled: (id) => this.#settled(id),
      onPresence: () => this.#presence(mapper),
      ...{ patience, random, log },
    })
    this.#mappers.set(row.name, mapper)
    return mapper
  }

  #drop(mapper: Mapper): void {
    mapper.stop()
    if (this.#mappers.get(mapper.name) === mapper) this.#mappers.delete(mapper.name)
  }

  /** A mapper came back or stays away: its devices may go to another, and those that cannot show it. */
  #presence(mapper: Mapper): void {
    const { devices, log } = this.#options
    if (mapper.absent) log.warn({ mapper: mapper.name, address: mapper.row.address }, 'mapper absent')
    for (const id of this.#idsOf([mapper.protocol])) {
      const entry = devices.get(id)
      if (entry && mapper.absent && choose(entry.device, this.#mappers.values()) === mapper)
        this.#show(entry, 'unknown')
      this.wake(id)
    }
  }

  #failed(id: string, reason: string): void {
    this.#failures++
    const entry = this.#options.devices.get(id)
    if (entry === undefined) return
    this.#options.devices.warn(entry, 'MapperFailed', reason)
    this.#shown.add(id)
    this.#show(entry, 'unhealthy')
  }

  /** The state that was shown because of the mapper goes; the mapper's own reports take its place. */
  #settled(id: string): void {
    const entry = this.#options.devices.get(id)
    if (this.#shown.delete(id) && entry?.state === 'unhealthy') this.#show(entry, 'unknown')
  }

  #show(entry: Entry, state: string): void {
    this.#options.devices.state(entry, state).catch((error: unknown) => {
      this.#options.log.error({ device: entry.id, reason: explain(error) }, 'device state not kept')
    })
  }

  #idsOf(protocols: readonly (string | undefined)[]): string[] {
    const entries = [...this.#options.devices.all()]
    return entries.filter(({ device }) => protocols.includes(protocolOf(device))).map(({ id }) => id)
  }
}

/** Why the mapper of a device does nothing for it. */
function whyAway(chosen: Mapper | string): string | undefined {
  if (typeof chosen === 'string') return `no mapper ${chosen} has registered for its protocol`
  return chosen.absent ? `mapper ${chosen.name} cannot be reached at ${chosen.row.address}: start it` : undefined
}

function protocolOf(device: Entry['device']): string {
  return device?.spec?.protocol?.protocolName ?? ''
}
