import { canonical } from '@kedge/shared/canonical'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { visible } from '@kedge/shared/twin'
import type { Entry } from '../registry.ts'
import type { Driver, DriverDevice, DriverHost, RunningDevice } from './driver.ts'

interface Running {
  /** What the driver was started with, desired values aside. */
  fingerprint: string
  device: RunningDevice | undefined
}

export interface RunnerOptions {
  drivers: readonly Driver[]
  hostFor: (entry: Entry) => DriverHost
  log: Log
}

/** Keeps the built-in drivers running for the devices that name them. An exception in one stays with its device. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #running = new Map<string, Running>()
  /** Drivers that are on their way out, by device. */
  readonly #stopping = new Map<string, Promise<void>>()
  #stopped = false

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /**
   * Starts, restarts or stops the driver of a device, as its description asks; `entry` is undefined when it is gone.
   * True when a driver starts: it is given the desired values in force.
   */
  update(id: string, entry: Entry | undefined): boolean {
    const driver = entry && this.#driverOf(entry)
    const before = this.#running.get(id)
    if (this.#stopped || (!driver && !before)) return false
    const fingerprint = entry && driver ? fingerprintOf(entry) : ''
    if (driver && before?.fingerprint === fingerprint) return false
    const ended = this.#end(id)
    if (!entry || !driver) return false
    const running: Running = { fingerprint, device: undefined }
    this.#running.set(id, running)
    const start = () => {
      // Another update, or the end, may have come while the one before was stopping.
      if (this.#running.get(id) === running) running.device = this.#start(entry, driver)
    }
    if (ended === undefined) start()
    else void ended.then(start)
    return true
  }

  /** Hands desired values that changed to the driver of the device. */
  desired(entry: Entry, changes: Readonly<Record<string, string>>): void {
    const device = this.#running.get(entry.id)?.device
    if (device !== undefined) this.#guard(entry, () => device.desired(changes))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#running.keys()].map((id) => this.#end(id)))
    await Promise.all(this.#stopping.values())
  }

  #driverOf({ device, problem }: Entry): Driver | undefined {
    const name = device?.spec?.protocol?.protocolName
    if (name === undefined || problem !== undefined) return undefined
    return this.#options.drivers.find(({ protocols }) => protocols.includes(name))
  }

  #start(entry: Entry, driver: Driver): RunningDevice | undefined {
    const host = this.#options.hostFor(entry)
    const device = this.#guard(entry, () => driver.start(driverDevice(entry), host))
    if (device === undefined) host.state('unhealthy').catch((error: unknown) => host.failed(explain(error)))
    return device
  }

  /** Resolves when the driver of a device has stopped; undefined when none runs or is stopping. */
  #end(id: string): Promise<void> | undefined {
    const device = this.#running.get(id)?.device
    this.#running.delete(id)
    if (device === undefined) return this.#stopping.get(id)
    const stopping = device
      .stop()
      .catch((error: unknown) => this.#options.log.error({ device: id, reason: explain(error) }, 'driver stop failed'))
      .finally(() => {
        if (this.#stopping.get(id) === stopping) this.#stopping.delete(id)
      })
    this.#stopping.set(id, stopping)
    return stopping
  }

  #guard<T>(entry: Entry, act: () => T): T | undefined {
    try {
      return act()
    } catch (error) {
      this.#options.hostFor(entry).failed(explain(error))
      return undefined
    }
  }
}

function fingerprintOf({ uid, device, model }: Entry): string {
  const properties = device?.spec?.properties?.map((each) => ({ ...each, desired: undefined }))
  return canonical({ uid, spec: { ...device?.spec, properties }, model: [...model] })
}

function driverDevice({ namespace, name, device, model, twins }: Entry): DriverDevice {
  const desired = new Map<string, string>()
  const reported = new Map<string, string>()
  for (const [property, twin] of twins) {
    const held = visible(twin)
    if (held?.desired.value) desired.set(property, held.desired.value)
    if (held?.reported.value !== undefined) reported.set(property, held.reported.value)
  }
  return { namespace, name, spec: device?.spec ?? {}, model, desired, reported }
}
