import { setTimeout as pause } from 'node:timers/promises'
import type { Written } from '../support/kube-client.ts'
import { deviceTopic } from '../support/manifests.ts'
import { RawClient } from '../support/raw-mqtt.ts'
import type { Edge } from '../support/system.ts'

/** The deltas that a device gets for the desired values written to it. */
export class Deltas {
  readonly samples: number[] = []
  readonly #at = new Map<string, number>()
  readonly #pending = new Map<string, Written>()
  #client: RawClient | undefined
  #value = ''

  static async open({ mqttPort }: Edge, device: string): Promise<Deltas> {
    const deltas = new Deltas()
    const onMessage = (_topic: string, payload: Buffer) => deltas.#take(payload.toString())
    deltas.#client = await RawClient.connect({ port: mqttPort, clientId: device, onMessage })
    await deltas.#client.subscribe(deviceTopic(device, 'twin/update/delta'))
    return deltas
  }

  expect(value: string): void {
    this.#value = value
  }

  note = (written: Written): Written => {
    this.#pending.set(this.#value, written)
    this.#match(this.#value)
    return written
  }

  /** Resolves when every desired value has come as a delta; rejects where one does not. */
  async settled(): Promise<void> {
    for (let wait = 0; this.#pending.size > 0; wait++) {
      if (wait === 500) throw new Error(`no delta for desired ${[...this.#pending.keys()].join(', ')}`)
      await pause(10)
    }
  }

  close(): void {
    this.#client?.close()
  }

  #take(text: string): void {
    const { delta } = JSON.parse(text) as { delta: { switch?: string } }
    if (delta.switch === undefined) return
    this.#at.set(delta.switch, performance.now())
    this.#match(delta.switch)
  }

  #match(value: string): void {
    const [at, written] = [this.#at.get(value), this.#pending.get(value)]
    if (at === undefined || written === undefined) return
    this.samples.push(Math.max(0, at - written.answered))
    this.#pending.delete(value)
  }
}
