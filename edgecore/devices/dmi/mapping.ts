import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { Store } from '../../store/store.ts'
import type { Engine } from '../engine.ts'
import { type Dmi, openDmi } from './dmi.ts'
import { handlersOf, type ReportedDevices } from './handlers.ts'
import type { LinkPatience } from './link.ts'
import { type MappedDevices, Mappers } from './mappers.ts'
import { MapperTable } from './table.ts'

export interface MappingOptions {
  store: Store
  clock: Clock
  random?: (() => number) | undefined
  log: Log
  patience?: Partial<LinkPatience> | undefined
}

const defaultPatience: LinkPatience = { call: 10_000, absent: 3000 }

/** The gRPC mappers, joined with the engine. */
export class Mapping implements Service {
  readonly mappers: Mappers
  readonly #log: Log
  /** Undefined until it has started: before that there are no devices. */
  #engine: Engine | undefined
  #dmi: Dmi | undefined

  constructor({ store, clock, random = Math.random, log, patience }: MappingOptions) {
    this.#log = log
    const devices: MappedDevices = {
      get: (id) => this.#engine?.devices.get(id),
      all: () => this.#engine?.devices.all() ?? [],
      state: async (entry, state) => this.#engine?.hostOf(entry).state(state),
      warn: (entry, reason, text) => this.#engine?.warn(entry, reason, text),
      reattach: (ids) => this.#engine?.reattach(ids),
    }
    const table = new MapperTable(store.db)
    this.mappers = new Mappers({
      ...{ store, table, devices, clock, random, log },
      patience: { ...defaultPatience, ...patience },
    })
  }

  /** Lets mappers register, and seeks those of earlier runs. Call it once the engine has started. */
  async open(engine: Engine, { socket, data }: { socket: string; data: string }): Promise<void> {
    this.#engine = engine
    const handlers = handlersOf(this.mappers, reportedTo(engine))
    this.#dmi = await openDmi({ socket, data, handlers, log: this.#log })
    await this.mappers.start()
  }

  /** Where mappers register. */
  get path(): string | undefined {
    return this.#dmi?.path
  }

  async stop(): Promise<void> {
    await this.#dmi?.stop()
    await this.mappers.stop()
  }
}

function reportedTo(engine: Engine): ReportedDevices {
  return {
    find: (name) => {
      const id = name.namespace === undefined ? name.name : `${name.namespace}/${name.name}`
      return engine.devices.find(name) ?? engine.devices.missing(name, `device ${id} is not on this node`).reason
    },
    keep: (entry, values) => engine.hostOf(entry).keep(values),
    state: (entry, state) => engine.hostOf(entry).state(state),
    warn: (entry, reason, text) => engine.warn(entry, reason, text),
  }
}
