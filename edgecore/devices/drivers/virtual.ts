import { explain } from '@kedge/shared/errors'
import { parseConfig } from './config.ts'
import { cycleOf } from './cycles.ts'
import { ConfigError, type Driver, type DriverDevice, type DriverHost, type RunningDevice } from './driver.ts'
import { defaultGenerator, Generator, generate, textOf } from './generators.ts'
import { type Room, Thermostat, thermostatProperties, warm } from './thermostat.ts'

/**
 * Devices that exist in memory only, for trying and for tests. Each property follows a generator
 * (`properties[].visitors.configData`), or the whole device is a thermostat (`protocol.configData.device: thermostat`).
 */
export const virtualDriver: Driver = {
  protocols: ['virtual'],
  start: (device, host) => new VirtualDevice(device, host),
}

interface Property {
  name: string
  type: string | undefined
  /** The next value, not rounded yet. */
  next: (step: number) => string | number | undefined
  decimals: number | undefined
  last: string | number | undefined
  collectCycle: number
  reportCycle: number
  /** When the next value and the next report are due, milliseconds since the start. */
  collectAt: number
  reportAt: number
  collectedAt: number
}

/** Invariant: one report is under way at a time; a slow disk makes values rarer and never piles them up. */
class VirtualDevice implements RunningDevice {
  readonly #host: DriverHost
  readonly #device: DriverDevice
  readonly #desired: Map<string, string>
  readonly #properties: Property[]
  readonly #startedAt: number
  readonly #cycle: number
  #timer: NodeJS.Timeout | undefined
  #busy: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(device: DriverDevice, host: DriverHost) {
    this.#host = host
    this.#device = device
    this.#desired = new Map(device.desired)
    this.#startedAt = host.clock.monotonic()
    this.#properties = this.#build()
    this.#cycle = Math.min(...this.#properties.flatMap((each) => [each.collectCycle, each.reportCycle]))
    host.log.info({ properties: this.#properties.map(({ name }) => name) }, 'virtual device started')
    host.tell('VirtualDevice', 'this device is virtual: its values are made up by edgecore, there is no hardware')
    this.#busy = this.#attempt(() => host.state('online'))
    this.#tick()
  }

  desired(changes: Readonly<Record<string, string>>): void {
    for (const [property, value] of Object.entries(changes)) {
      if (value === '') this.#desired.delete(property)
      else this.#desired.set(property, value)
    }
    for (const property of this.#properties) {
      if (property.name in changes) property.collectAt = property.reportAt = 0
    }
    this.#tick()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#busy
  }

  #tick(): void {
    clearTimeout(this.#timer)
    this.#busy = this.#busy.then(async () => {
      if (this.#stopped) return
      const values = this.#collect()
      if (Object.keys(values).length > 0) await this.#attempt(() => this.#host.report(values))
      clearTimeout(this.#timer)
      if (!this.#stopped && this.#cycle < Infinity) this.#timer = setTimeout(() => this.#tick(), this.#cycle)
    })
  }

  /** The values that are due for a report now. */
  #collect(): Record<string, string> {
    const elapsed = this.#elapsed()
    const due: Record<string, string> = {}
    for (const property of this.#properties) {
      if (elapsed >= property.collectAt) {
        property.last = property.next(elapsed - property.collectedAt)
        property.collectedAt = elapsed
        property.collectAt = elapsed + property.collectCycle
      }
      if (elapsed < property.reportAt || property.last === undefined) continue
      due[property.name] = textOf(property.last, property.type, property.decimals)
      property.reportAt = elapsed + property.reportCycle
    }
    return due
  }

  async #attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      this.#host.failed(`virtual device: ${explain(error)}`)
    }
  }

  #elapsed(): number {
    return this.#host.clock.monotonic() - this.#startedAt
  }

  #build(): Property[] {
    const { spec, model } = this.#device
    const kind = spec.protocol?.configData?.device
    if (kind === 'thermostat')
      return this.#thermostat(parseConfig(Thermostat, spec.protocol?.configData, { where: 'spec.protocol' }))
    if (kind !== undefined)
      throw new ConfigError(`spec.protocol.configData.device: ${String(kind)} is unknown, use thermostat`)
    const names = spec.properties?.map(({ name }) => name) ?? [...model.keys()]
    return names.map((name) => this.#generated(name))
  }

  #generated(name: string): Property {
    const { spec, model } = this.#device
    const config = spec.properties?.find((each) => each.name === name)?.visitors?.configData
    const named = config?.generator !== undefined
    const generator = named
      ? parseConfig(Generator, config, { where: `property ${name}: visitors` })
      : defaultGenerator(model.get(name))
    const property = this.#property(name, (step) =>
      generate(name, generator, {
        elapsed: this.#elapsed(),
        step,
        random: this.#host.random(),
        last: property.last,
        desired: this.#desired,
      }),
    )
    property.decimals = 'decimals' in generator ? generator.decimals : undefined
    return property
  }

  #thermostat(config: Thermostat): Property[] {
    const { model, reported } = this.#device
    for (const name of thermostatProperties) {
      if (!model.has(name)) throw new ConfigError(`a virtual thermostat needs the property ${name} in its DeviceModel`)
    }
    const temperature = Number(reported.get('temperature') ?? config.ambient)
    let room: Room = { temperature, heating: reported.get('heating') === 'true' }
    return [
      this.#property('temperature', (step) => {
        room = warm(room, config, { target: this.#desired.get('target'), step })
        return room.temperature
      }),
      this.#property('target', () => this.#desired.get('target')),
      this.#property('heating', () => String(room.heating)),
    ]
  }

  #property(name: string, next: Property['next']): Property {
    const { spec, model, reported } = this.#device
    const { collectCycle, reportCycle } = spec.properties?.find((each) => each.name === name) ?? {}
    const warn = (reason: string) => this.#host.failed(reason)
    return {
      name,
      type: model.get(name)?.type,
      next,
      decimals: undefined,
      last: reported.get(name),
      collectCycle: cycleOf(`property ${name}: collectCycle`, collectCycle, warn),
      reportCycle: cycleOf(`property ${name}: reportCycle`, reportCycle, warn),
      collectAt: 0,
      reportAt: 0,
      collectedAt: 0,
    }
  }
}
