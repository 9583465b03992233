import { rfc3339 } from '@kedge/shared/clock'
import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import type { DeviceReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted } from './answer.ts'
import { type Condition, conditionOf } from './conditions.ts'
import { deviceStatus, type LiveDevice, type StatusTwin, twinsIn, withReport } from './device-status.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { mergePatch } from './merge-patch.ts'
import { objectPath } from './paths.ts'
import { writeObject } from './status-patch.ts'
import { answerOf, type WriterParts, workerOptions } from './writer-parts.ts'

export interface DeviceWriterParts extends WriterParts {
  /** At most one write per device in this time, in milliseconds, after the first. */
  statusInterval: number
  /** What cloudcore has to say of a device with these twins. */
  conditionsFor: (device: KubeObject, twins: readonly StatusTwin[]) => Condition[]
}

/**
 * Writes what edges say of their devices, and what cloudcore says of them.
 *
 * Invariants:
 * - a report is answered after the write that holds it, or a newer one of the same property, has been answered;
 * - the last value of every property arrives, however many came between two writes;
 * - live values are held for devices that exist, and for no others.
 */
export class DeviceWriter implements Service {
  readonly #parts: DeviceWriterParts
  readonly #live = new Map<Key, LiveDevice>()
  readonly #worker: KeyedWorker<Answer>

  constructor(parts: DeviceWriterParts) {
    this.#parts = parts
    const pass = (key: string) => this.#pass(key as Key)
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval: parts.statusInterval, pass })
  }

  /** The report must come from the device's own node. */
  async accept(report: DeviceReport): Promise<Answer> {
    const key = keyOf('devices', report.namespace, report.name)
    const base = this.#parts.freshest.get(key)
    // Nothing is kept of a device that was replaced; the pass says so.
    if (base?.metadata.uid === report.uid) this.#live.set(key, withReport(this.#live.get(key), report))
    else if (base !== undefined) return this.#obsolete(key)
    if (base !== undefined && !this.#worker.isBusy(key) && this.#change(key, base) === undefined) {
      this.#parts.counters.add('same')
      return accepted
    }
    return this.#worker.run(key)
  }

  /** Looks again at what is said of a device: its model, its node or its manifest has changed. */
  touch(key: Key): void {
    const base = this.#parts.freshest.get(key)
    if (base === undefined) return this.#forget(key)
    if (this.#live.get(key)?.uid !== base.metadata.uid) this.#live.delete(key)
    if (this.#change(key, base) === undefined) return
    const next = this.#wanted(key, base)
    // What follows a manifest's every edit waits for the device's own report, so that one write does for both.
    const lazy = standing(base) === standing(next)
    this.#worker.wake(key, { lazy })
  }

  /** The newest values that the device's node has reported, written or not; undefined when none came yet. */
  live(key: Key): Readonly<LiveDevice> | undefined {
    return this.#live.get(key)
  }

  stop(): Promise<void> {
    return this.#worker.stop()
  }

  #wanted(key: Key, base: KubeObject): KubeObject {
    const { clock, conditionsFor } = this.#parts
    const known = this.#live.get(key)
    const live = known?.uid === base.metadata.uid ? known : undefined
    const now = rfc3339(clock.now())
    const reported = deviceStatus(base.status ?? {}, live, [], now)
    return { ...base, status: deviceStatus(reported, undefined, conditionsFor(base, twinsIn(reported)), now) }
  }

  #change(key: Key, base: KubeObject): unknown {
    return mergePatch(base.status ?? {}, this.#wanted(key, base).status ?? {})
  }

  async #pass(key: Key): Promise<Pass<Answer>> {
    const { kube, freshest, counters, log } = this.#parts
    let tried: LiveDevice | undefined
    const wanted = (base: KubeObject) => {
      tried = this.#live.get(key)
      return this.#wanted(key, base)
    }
    const written = await writeObject({
      kube,
      freshest,
      counters,
      key,
      path: objectPath(key),
      part: 'status',
      wanted,
    })
    // What was refused must not spoil the next write; what came meanwhile has a pass of its own.
    if (written.is === 'gone' || (written.is === 'refused' && this.#live.get(key) === tried)) this.#live.delete(key)
    const pass = answerOf(written, { log, counters, key })
    // Until the node has spoken, a write has only cloudcore's own word in it: the first values need not wait for that.
    return { ...pass, wrote: pass.wrote && tried !== undefined }
  }

  #forget(key: Key): void {
    this.#live.delete(key)
    this.#worker.forget(key)
  }

  #obsolete(key: Key): Answer {
    const { log, counters } = this.#parts
    return answerOf({ is: 'gone' }, { log, counters, key }).result
  }
}

/** What of the conditions is told at once. */
function standing(device: KubeObject): string {
  const ready = conditionOf(device.status, 'Ready')
  return `${ready?.status}/${ready?.reason}`
}
