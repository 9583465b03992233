import { createHash } from 'node:crypto'
import { delay } from '@kedge/shared/backoff'
import { canonical } from '@kedge/shared/canonical'
import type { Clock } from '@kedge/shared/clock'
import type { DeviceProperty } from '@kedge/shared/devices'
import type { Log } from '@kedge/shared/log'
import { visible } from '@kedge/shared/twin'
import type { Entry } from '../registry.ts'
import type { Driver, DriverDevice, LazyDriver } from './driver.ts'
import { type BaseHost, defaultPatience, Instance, type Patience, type Shared } from './instance.ts'

export interface RunnerOptions {
  /** The first that serves a device is taken. */
  drivers: readonly (Driver | LazyDriver)[]
  hostFor: (entry: Entry) => BaseHost
  /** What the drivers share. */
  shared: Shared
  clock: Clock
  /** A draw from [0, 1). */
  random: () => number
  patience?: Partial<Patience> | undefined
  log: Log
}

interface Running {
  entry: Entry
  driver: Driver | LazyDriver
  /** What the driver was started with, desired values aside. */
  fingerprint: string
  instance: Instance | undefined
  /** How often it was started in vain. */
  attempt: number
  retry: NodeJS.Timeout | undefined
}

/** No restart waits longer than this, in milliseconds. */
const longestWait = 300_000
/** A driver that ran for so long, in milliseconds, is not failing again but anew. */
const steady = 60_000

/**
 * Keeps the drivers running for the devices that name them.
 *
 * Invariants:
 * - At most one instance runs per device: the next one starts when the one before has stopped, or would not in time.
 * - What goes wrong in one stays with its device: it is told there and counted, and the driver starts again, later and
 *   later; the others notice nothing.
 */
export class Runner {
  readonly #options: RunnerOptions
  readonly #running = new Map<string, Running>()
  /** Instances that are on their way out, by device. */
  readonly #stopping = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, number>()
  #stopped = false

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /** How many devices a driver serves. */
  get size(): number {
    return this.#running.size
  }

  /** Failures since the start of edgecore, by device; those that went are left out. */
  get failures(): ReadonlyMap<string, number> {
    return this.#failures
  }

  /** Whether a driver serves such a device, were its description right. */
  serves(entry: Entry): boolean {
    return this.#driverOf(entry) !== undefined
  }

  /**
   * Starts, restarts or stops the driver of a device, as its description asks; `entry` is undefined when it is gone.
   * True when a driver starts: it is given the desired values in force.
   */
  update(id: string, entry: Entry | undefined): boolean {
    const driver = entry?.problem === undefined && entry ? this.#driverOf(entry) : undefined
    const before = this.#running.get(id)
    if (entry === undefined) this.#failures.delete(id)
    if (this.#stopped || (!driver && !before)) return false
    const fingerprint = entry && driver ? fingerprintOf(entry) : ''
    if (driver && before?.fingerprint === fingerprint) return false
    const ended = this.#end(id)
    if (!entry || !driver) return false
    const running: Running = { entry, driver, fingerprint, instance: undefined, attempt: 0, retry: undefined }
    this.#running.set(id, running)
    if (ended === undefined) this.#start(running)
    else void ended.then(() => this.#start(running))
    return true
  }

  /** Hands desired values that changed to the driver of the device. */
  desired({ id }: Entry, changes: Readonly<Record<string, string>>): void {
    this.#running.get(id)?.instance?.desired(changes)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#running.keys()].map((id) => this.#end(id)))
    await Promise.all(this.#stopping.values())
  }

  #driverOf(entry: Entry): Driver | LazyDriver | undefined {
    const name = entry.device?.spec?.protocol?.protocolName
    if (name === undefined) return undefined
    const spec = specOf(entry)
    const fits = (each: Driver | LazyDriver) => !('serves' in each) || (each.serves?.({ spec }) ?? true)
    return this.#options.drivers.find((each) => each.protocols.includes(name) && fits(each))
  }

  #start(running: Running): void {
    const { entry, driver, attempt } = running
    // Another update, or the end, may have come while the one before was stopping.
    if (this.#running.get(entry.id) !== running || this.#stopped) return
    const { hostFor, shared, clock, patience } = this.#options
    const startedAt = clock.monotonic()
    running.instance = new Instance({
      driver,
      device: driverDevice(entry),
      host: hostFor(entry),
      shared,
      clock,
      patience,
      onFailure: () => this.#failures.set(entry.id, (this.#failures.get(entry.id) ?? 0) + 1),
      onRestart: () => {
        if (this.#running.get(entry.id) !== running) return
        this.#again(running, clock.monotonic() - startedAt >= steady ? 0 : attempt)
      },
    })
    running.instance.start()
  }

  /** Stops the instance and starts another after a while. */
  #again(running: Running, attempt: number): void {
    const { id } = running.entry
    running.attempt = attempt + 1
    const ended = this.#stopInstance(id, running) ?? this.#stopping.get(id) ?? Promise.resolve()
    const { patience, random } = this.#options
    const base = (patience?.again ?? defaultPatience.again) / 2
    // Half of it by chance: never at once, and not all at the same time.
    const half = { base, cap: longestWait / 2 }
    const wait = delay(attempt, half, 1) + delay(attempt, half, random())
    void ended.then(() => {
      if (this.#running.get(id) !== running) return
      running.retry = setTimeout(() => this.#start(running), wait)
    })
  }

  /** Resolves when the instance of a device has stopped; undefined when none runs or is stopping. */
  #end(id: string): Promise<void> | undefined {
    const running = this.#running.get(id)
    this.#running.delete(id)
    clearTimeout(running?.retry)
    return (running && this.#stopInstance(id, running)) ?? this.#stopping.get(id)
  }

  #stopInstance(id: string, running: Running): Promise<void> | undefined {
    const { instance } = running
    running.instance = undefined
    if (instance === undefined) return undefined
    const stopping: Promise<void> = Promise.all([this.#stopping.get(id), instance.stop()]).then(() => {
      if (this.#stopping.get(id) === stopping) this.#stopping.delete(id)
    })
    this.#stopping.set(id, stopping)
    return stopping
  }
}

function fingerprintOf(entry: Entry): string {
  const spec = specOf(entry)
  const properties = spec.properties?.map((each) => ({ ...each, desired: undefined }))
  const text = canonical({ uid: entry.uid, spec: { ...spec, properties }, model: [...entry.model] })
  // The text itself would be kept for every device.
  return createHash('sha1').update(text).digest('base64')
}

/** What the device says, and where it says nothing, what its model says: of the protocol as a whole, of each property. */
function specOf({ device, deviceModel }: Entry): DriverDevice['spec'] {
  const spec = device?.spec ?? {}
  const { protocolConfigData, properties: modelled = [] } = deviceModel?.spec ?? {}
  const visitors = new Map(modelled.map((each) => [each.name, each.visitors]))
  const named: DeviceProperty[] = spec.properties?.length
    ? spec.properties
    : modelled.map(({ name = '' }) => ({ name }))
  const configData = spec.protocol?.configData ?? protocolConfigData
  return {
    ...spec,
    protocol: { ...spec.protocol, ...(configData && { configData }) },
    properties: named.map((each) => {
      const found = each.visitors ?? visitors.get(each.name)
      return found === undefined ? each : { ...each, visitors: found }
    }),
  }
}

function driverDevice(entry: Entry): DriverDevice {
  const { namespace, name, model, twins } = entry
  const desired = new Map<string, string>()
  const reported = new Map<string, string>()
  for (const [property, twin] of twins) {
    const held = visible(twin)
    if (held?.desired.value) desired.set(property, held.desired.value)
    if (held?.reported.value !== undefined) reported.set(property, held.reported.value)
  }
  return { namespace, name, spec: specOf(entry), model, desired, reported }
}
