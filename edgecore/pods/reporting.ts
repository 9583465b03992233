import { canonical } from '@kedge/shared/canonical'
import type { Clock } from '@kedge/shared/clock'
import { qosClass } from '@kedge/shared/kubeapi/qos'
import type { EventReport, PodReport } from '@kedge/shared/reports'
import { newEventId } from '../reports/event-id.ts'
import type { Outbox } from '../store/outbox.ts'
import type { PodStatuses } from '../store/pods.ts'
import type { Store } from '../store/store.ts'
import { eventsOf, type PodEvent } from './events.ts'
import type { Look } from './observe.ts'
import type { Notice, PodId, PodName } from './runtime.ts'
import { isRunning } from './situation.ts'
import { podStatus } from './status.ts'

export interface ReportingTools {
  store: Store
  statuses: PodStatuses
  outbox: Outbox
  clock: Clock
  hostIP: string
  runtime: { name: string; notice?: Notice }
  /** Whether the cloud knows nothing of a pod: its status is kept here and not reported. */
  isLocal?: (pod: PodName) => boolean
}

/** So many events wait at most while none can be written down: of an outage of days the last ones tell enough. */
const mostNoted = 50

/**
 * What one pod says upward.
 *
 * Invariants:
 * - A status is in the `pods` row and in the outbox, or in neither; an equal one is not reported again.
 * - An event leaves this list when it is in the outbox.
 */
export class PodReporting {
  readonly #tools: ReportingTools
  #noted: (PodEvent & { at: number })[] = []

  constructor(tools: ReportingTools) {
    this.#tools = tools
  }

  /** Takes note of an event; it goes out with the next status. */
  note(event: PodEvent): void {
    if (this.#noted.length >= mostNoted) this.#noted.shift()
    this.#noted.push({ ...event, at: this.#tools.clock.now() })
  }

  /** Writes down the status and what happened, in one transaction, if there is anything new. */
  async report({ situation, content, previous, toldStopped }: Look): Promise<void> {
    const { statuses, outbox, hostIP, runtime, isLocal } = this.#tools
    const { wanted, seen } = situation
    if (wanted === undefined || content === undefined || wanted.uid === '') return
    const { namespace, name, uid, deletion } = wanted
    const before = previous && { previous }
    const status = podStatus({ wanted, situation, hostIP, qosClass: qosClass(content.spec ?? {}), runtime, ...before })
    const stopped = deletion !== undefined && !seen.some((one) => one.ready || one.containers.some(isRunning))
    const isNew = previous === undefined || stopped !== toldStopped || canonical(previous) !== canonical(status)
    const { notice } = runtime
    const changes = eventsOf({ pod: wanted, next: status, situation, ...before, ...(notice && { notice }) })
    const write = () => {
      const report: PodReport = { is: 'pod', namespace, name, uid, status: { ...status }, ...(stopped && { stopped }) }
      statuses.put({ pod: `${namespace}/${name}`, uid, status: report.status, stopped })
      if (!isLocal?.({ namespace, name })) outbox.add(report)
    }
    await this.#commit({ pod: wanted, changes, ...(isNew && { write }) })
  }

  /** The pod is gone: what happened last is told, and its status is forgotten. */
  async forget(pod: PodId): Promise<void> {
    await this.#commit({ pod, changes: [], write: () => this.#tools.statuses.drop(`${pod.namespace}/${pod.name}`) })
  }

  async #commit({ pod, changes, write }: { pod: PodId; changes: PodEvent[]; write?: () => void }): Promise<void> {
    const { store, outbox, clock } = this.#tools
    const noted = new Set(this.#noted)
    const events = [...noted, ...changes.map((event) => ({ ...event, at: clock.now() }))]
    if (write === undefined && events.length === 0) return
    await store.commit(() => {
      for (const event of events) outbox.add(reportOf(event, pod))
      write?.()
    })
    this.#noted = this.#noted.filter((event) => !noted.has(event))
  }
}

function reportOf(event: PodEvent & { at: number }, { namespace, name, uid }: PodId): EventReport {
  const { type, reason, at } = event
  const regarding = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid: event.uid ?? uid }
  return {
    is: 'event',
    id: newEventId(at),
    regarding,
    type,
    reason,
    message: event.message.slice(0, 1024),
    at,
    by: 'pods',
  }
}
