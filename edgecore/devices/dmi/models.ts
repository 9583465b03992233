import type { Ended } from './client.ts'
import { wireModel } from './describe.ts'
import type { MapperMethod } from './schema.ts'
import type { Want } from './want.ts'

/** The models that a mapper holds. One call at a time is under way per model, whatever the number of its devices. */
export class HeldModels {
  readonly #call: (method: MapperMethod, request: object) => Promise<Ended>
  /** Hashes of the models that the mapper has taken. */
  readonly #taken = new Map<string, string>()
  readonly #calls = new Map<string, Promise<Ended>>()
  /** Counts the times that all was forgotten. */
  #session = 0

  constructor(call: (method: MapperMethod, request: object) => Promise<Ended>) {
    this.#call = call
  }

  /** The mapper has the model of this device. */
  took({ modelId, modelHash }: Want): void {
    this.#taken.set(modelId, modelHash)
  }

  /** It may not have the model any more. */
  doubt(modelId: string): void {
    this.#taken.delete(modelId)
  }

  /** It may not have any of them. */
  doubtAll(): void {
    this.#session++
    this.#taken.clear()
  }

  /** Sees to it that the mapper has the model of a device. */
  async ensure(want: Want): Promise<Ended> {
    const { modelId, modelHash } = want
    for (let under = this.#calls.get(modelId); under; under = this.#calls.get(modelId)) {
      const ended = await under
      if (ended.is !== 'ok') return ended
    }
    if (this.#taken.get(modelId) === modelHash) return { is: 'ok' }
    const done = this.#tell(want).finally(() => this.#calls.delete(modelId))
    this.#calls.set(modelId, done)
    return done
  }

  async #tell(want: Want): Promise<Ended> {
    const session = this.#session
    const { namespace, model } = want.described
    const method = this.#taken.has(want.modelId) ? 'UpdateDeviceModel' : 'CreateDeviceModel'
    const ended = await this.#call(method, { model: wireModel(namespace, model) })
    if (session !== this.#session) return ended
    if (ended.is === 'ok') this.took(want)
    else this.doubt(want.modelId)
    return ended
  }

  /** Takes a model back. */
  async drop(modelId: string): Promise<Ended> {
    if (!this.#taken.delete(modelId)) return { is: 'ok' }
    const [modelNamespace, modelName] = modelId.split('/')
    return this.#call('RemoveDeviceModel', { modelName, modelNamespace })
  }
}
