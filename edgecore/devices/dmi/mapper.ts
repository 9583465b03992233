import { explain } from '@kedge/shared/errors'
import type { Ended } from './client.ts'
import { wireDevice } from './describe.ts'
import { Link, type LinkOptions } from './link.ts'
import { HeldModels } from './models.ts'
import { Retries } from './retries.ts'
import { Slots } from './slots.ts'
import { nextStep, type Step } from './steps.ts'
import type { MapperRow } from './table.ts'
import type { Want } from './want.ts'

export interface MapperOptions extends Omit<LinkOptions, 'address' | 'onUp' | 'onDown' | 'onAbsent'> {
  row: MapperRow
  /** The devices that it was told of before, with the hash of what it held of them, where that is known. */
  told: ReadonlyMap<string, string | undefined>
  /** The newest copy of a device as this mapper should have it; undefined when it should not. */
  want: (device: string) => Want | undefined
  /** Keeps that the mapper may hold a device; resolves once that is on disk. */
  remember: (device: string) => Promise<void>
  /** The mapper certainly does not hold the device any more. */
  forget: (device: string) => Promise<void>
  /** A call about a device failed; `onSettled` is called when one succeeds again. */
  onFailed: (device: string, reason: string) => void
  onSettled: (device: string) => void
  /** It can be reached again, or could not be reached for a while. */
  onPresence: () => void
}

/** What the mapper was told of a device. */
interface Told {
  /** Of what it holds; undefined when that is not sure. */
  hash: string | undefined
  /** Of what it holds, unless it has lost the device. */
  kept: string | undefined
  /** It was registered since it became unsure. */
  registered: boolean
  model: string | undefined
}

/** Calls under way at one mapper. */
const maxCalls = 64

/**
 * One mapper, and its way to hold what it should.
 *
 * Invariants:
 * - One call at a time is under way per device, and each is made of the newest copy: edits during a call become one.
 * - What the mapper may hold is on disk before it is told, so that a removal finds it, whatever crashes between.
 * - On a new connection each device is registered again, which a mapper that knows it passes over, and updated unless
 *   the mapper took the same before: an update under way when the connection broke is not sure.
 * - A call that fails holds up its device alone.
 */
export class Mapper {
  readonly #options: MapperOptions
  readonly #link: Link
  readonly #told = new Map<string, Told>()
  readonly #models: HeldModels
  readonly #slots = new Slots(maxCalls)
  readonly #working = new Set<string>()
  readonly #retries: Retries
  /** Counts the connections. */
  #session = 0
  #stopped = false
  absent = false

  constructor(options: MapperOptions) {
    this.#options = options
    for (const [device, kept] of options.told) this.#told.set(device, unsure({ kept }))
    this.#retries = new Retries(options.random, (device) => this.wake(device))
    this.#models = new HeldModels((method, request) => this.#link.call(method, request))
    this.#link = new Link({
      ...options,
      address: options.row.address,
      onUp: () => this.#up(),
      onDown: () => this.#down(),
      onAbsent: () => this.#away(),
    })
  }

  get name(): string {
    return this.#options.row.name
  }

  get protocol(): string {
    return this.#options.row.protocol
  }

  get order(): number {
    return this.#options.row.order
  }

  get row(): MapperRow {
    return this.#options.row
  }

  get isUp(): boolean {
    return this.#link.up
  }

  /** The devices that it was told of, with the hash of what it holds of them, unless it loses them. */
  get told(): Map<string, string | undefined> {
    return new Map([...this.#told].map(([device, { hash, kept }]) => [device, hash ?? kept]))
  }

  /** What was kept of an earlier run is not to be relied on. */
  doubtAll(): void {
    for (const told of this.#told.values()) told.kept = undefined
  }

  start(): void {
    this.#link.start()
  }

  stop(): void {
    this.#stopped = true
    this.#link.stop()
    this.#retries.stop()
  }

  /** It was given these devices in the answer to its registration. */
  gave(wants: Iterable<Want>): void {
    for (const want of wants) {
      const { described, hash, modelId: model } = want
      this.#told.set(`${described.namespace}/${described.name}`, { hash, kept: undefined, registered: true, model })
      this.#models.took(want)
    }
  }

  /** A device changed, came or went. */
  wake(device: string): void {
    if (this.#working.has(device) || !this.#link.up) return
    if (this.#next(device) === undefined) return
    this.#retries.now(device)
    this.#working.add(device)
    void this.#slots.use(() => this.#work(device))
  }

  /** Never throws: what cannot be described is told as a failure of its device. */
  #next(device: string): Step | undefined {
    const told = this.#told.get(device)
    try {
      return nextStep(this.#options.want(device)?.hash, told, told?.registered ?? false)
    } catch (error) {
      this.#options.onFailed(device, explain(error))
      return undefined
    }
  }

  async #work(device: string): Promise<void> {
    let ended: Ended = { is: 'ok' }
    for (let step = this.#next(device); step && ended.is === 'ok'; step = this.#next(device)) {
      // A rejection is one of our database.
      ended = await this.#do(device, step).catch((error) => ({ is: 'refused', reason: explain(error), code: -1 }))
    }
    this.#working.delete(device)
    if (ended.is !== 'ok') this.#failed(device, ended)
    else if (this.#retries.settled(device)) this.#options.onSettled(device)
  }

  #do(device: string, step: Step): Promise<Ended> {
    const want = this.#options.want(device)
    if (step === 'remove' || want === undefined) return this.#remove(device)
    return this.#tell(device, { want, step })
  }

  async #tell(device: string, { want, step }: { want: Want; step: 'register' | 'update' }): Promise<Ended> {
    const session = this.#session
    const before = this.#told.get(device)
    const told = before ?? unsure({})
    const isNew = before === undefined
    const modelBefore = told.model
    told.model = want.modelId
    this.#told.set(device, told)
    if (isNew) await this.#options.remember(device)
    const modelled = await this.#models.ensure(want)
    if (modelled.is !== 'ok') return modelled
    // An update that is lost on its way may have been taken, or not.
    if (step === 'update') Object.assign(told, { hash: undefined, kept: undefined })
    const method = step === 'register' ? 'RegisterDevice' : 'UpdateDevice'
    const ended = await this.#link.call(method, { device: wireDevice(want.described) })
    if (session !== this.#session) return { is: 'unreachable', reason: 'the connection was lost', code: -1 }
    if (ended.is === 'ok') {
      told.registered = true
      if (step === 'update' || isNew || told.kept === want.hash) told.hash = want.hash
    } else {
      // It may have lost what it had: it is told all of it again.
      Object.assign(told, unsure({ model: told.model }))
      this.#models.doubt(want.modelId)
    }
    if (modelBefore !== undefined && modelBefore !== want.modelId) await this.#dropModel(modelBefore)
    return ended
  }

  async #remove(device: string): Promise<Ended> {
    const [deviceNamespace, deviceName] = device.split('/')
    const ended = await this.#link.call('RemoveDevice', { deviceName, deviceNamespace })
    if (ended.is === 'unreachable' || ended.is === 'late') return ended
    if (ended.is === 'refused') {
      // KubeEdge's mappers refuse to remove what they do not have; nothing else would come of trying again.
      this.#options.log.info({ device, mapper: this.name, reason: ended.reason }, 'mapper did not remove a device')
    }
    const model = this.#told.get(device)?.model
    this.#told.delete(device)
    await this.#options.forget(device)
    if (model !== undefined) await this.#dropModel(model)
    return { is: 'ok' }
  }

  /** Takes a model back that no device of this mapper has any more. */
  async #dropModel(modelId: string): Promise<void> {
    for (const { model } of this.#told.values()) if (model === modelId) return
    const ended = await this.#models.drop(modelId)
    if (ended.is === 'ok') return
    this.#options.log.info({ model: modelId, mapper: this.name, reason: ended.reason }, 'model left at mapper')
  }

  #failed(device: string, ended: Exclude<Ended, { is: 'ok' }>): void {
    if (this.#stopped) return
    const { onFailed } = this.#options
    const attempts = this.#retries.later(device)
    if (ended.is === 'late') onFailed(device, 'the mapper did not answer in time')
    // A connection that breaks shows in other ways; a mapper that goes on saying so does not.
    const isTold = ended.is === 'refused' || (ended.is === 'unreachable' && attempts > 0 && this.#link.up)
    if (isTold) onFailed(device, ended.reason)
  }

  #up(): void {
    this.#options.log.info({ mapper: this.name, address: this.row.address }, 'mapper reached')
    this.absent = false
    this.#options.onPresence()
    for (const device of [...this.#told.keys()]) this.wake(device)
  }

  #down(): void {
    this.#options.log.warn({ mapper: this.name }, 'mapper lost')
    this.#doubt()
  }

  #away(): void {
    this.absent = true
    // It may have been given all when it registered, and have ended before it could be reached.
    this.#doubt()
    this.#options.onPresence()
  }

  /** What it holds is not sure any more. */
  #doubt(): void {
    this.#session++
    this.#models.doubtAll()
    for (const [device, { hash, kept, model }] of this.#told) {
      this.#told.set(device, unsure({ kept: hash ?? kept, model }))
    }
  }
}

function unsure({ kept, model }: Partial<Pick<Told, 'kept' | 'model'>>): Told {
  return { hash: undefined, kept, registered: false, model }
}
