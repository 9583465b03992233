import type { KubeObject } from '../objects.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { age } from './human-duration.ts'
import { asArray, asObject, type Json } from './schema.ts'

const wide = { priority: 1 }

export const podColumns = [
  nameColumn,
  column('Ready', 'Containers that are ready, of all.', (object) => summary(object).ready),
  column('Status', 'What the pod is doing, and why it is not when it is not.', (object) => summary(object).reason),
  column('Restarts', 'How often containers were started again, and when last.', restartsText),
  ageColumn,
  column('IP', 'Address of the pod.', podIp, wide),
  column('Node', 'The node that the pod is bound to.', ({ spec }) => orNone(spec?.nodeName), wide),
  column('Nominated Node', 'The node that the pod waits for.', ({ status }) => orNone(status?.nominatedNodeName), wide),
  column('Readiness Gates', 'Conditions that the pod waits for.', gatesText, wide),
]

interface Summary {
  ready: string
  reason: string
  restarts: number
  /** Milliseconds since the epoch; 0 when nothing was started again. */
  lastRestart: number
}

/**
 * One pod in a line. An init container that is not done comes before all others; among the containers the first one that
 * waits or ended gives the reason; the deletion of the pod comes before everything.
 */
function summary({ metadata, spec, status }: KubeObject): Summary {
  const total = asArray(spec?.containers).length + sidecarNames(spec).size
  const init = initSummary(spec, status)
  let { restarts, lastRestart, ready } = init
  let reason = init.reason ?? phaseReason(status)
  if (init.reason === undefined || hasTrue(status, 'Initialized')) {
    const main = mainSummary(status, reason)
    reason = main.reason
    ready += main.ready
    restarts = init.sidecarRestarts + main.restarts
    lastRestart = Math.max(init.sidecarLastRestart, main.lastRestart)
  }
  if (metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null) {
    if (status?.reason === 'NodeLost') reason = 'Unknown'
    else if (!isOver(status?.phase)) reason = 'Terminating'
  }
  return { ready: `${ready}/${total}`, reason, restarts, lastRestart }
}

function isOver(phase: unknown): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}

function phaseReason(status: KubeObject['status']): string {
  for (const condition of asArray(status?.conditions).map(asObject)) {
    if (condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated') return 'SchedulingGated'
  }
  if (typeof status?.reason === 'string' && status.reason !== '') return status.reason
  return typeof status?.phase === 'string' ? status.phase : ''
}

function sidecarNames(spec: KubeObject['spec']): Set<unknown> {
  const containers = asArray(spec?.initContainers).map(asObject)
  return new Set(containers.filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name))
}

interface InitSummary {
  /** What the first init container that is not done says; undefined when all are done. */
  reason: string | undefined
  /** Sidecars that are ready. */
  ready: number
  restarts: number
  lastRestart: number
  sidecarRestarts: number
  sidecarLastRestart: number
}

function initSummary(spec: KubeObject['spec'], status: KubeObject['status']): InitSummary {
  const total = asArray(spec?.initContainers).length
  const sidecars = sidecarNames(spec)
  const out = { ready: 0, restarts: 0, lastRestart: 0, sidecarRestarts: 0, sidecarLastRestart: 0 }
  for (const [index, one] of asArray(status?.initContainerStatuses).map(asObject).entries()) {
    const isSidecar = sidecars.has(one.name)
    out.restarts += restartCount(one)
    out.lastRestart = Math.max(out.lastRestart, lastFinish(one))
    if (isSidecar) {
      out.sidecarRestarts += restartCount(one)
      out.sidecarLastRestart = Math.max(out.sidecarLastRestart, lastFinish(one))
    }
    const { terminated, waiting } = asObject(one.state)
    if (terminated !== undefined && asObject(terminated).exitCode === 0) continue
    if (isSidecar && one.started === true) {
      if (one.ready === true) out.ready += 1
      continue
    }
    if (terminated !== undefined) return { ...out, reason: `Init:${endReason(asObject(terminated))}` }
    const why = asObject(waiting).reason
    if (typeof why === 'string' && why !== '' && why !== 'PodInitializing') {
      return { ...out, reason: `Init:${why}` }
    }
    return { ...out, reason: `Init:${index}/${total}` }
  }
  return { ...out, reason: undefined }
}

function endReason({ reason, signal, exitCode }: Json): string {
  if (typeof reason === 'string' && reason !== '') return reason
  return typeof signal === 'number' && signal !== 0 ? `Signal:${signal}` : `ExitCode:${exitCode}`
}

function mainSummary(status: KubeObject['status'], phase: string): Omit<Summary, 'ready'> & { ready: number } {
  const out = { reason: phase, ready: 0, restarts: 0, lastRestart: 0 }
  let running = false
  // Backwards, so that the first container that has something to say has the last word.
  for (const one of asArray(status?.containerStatuses).map(asObject).reverse()) {
    const { waiting, terminated, running: runs } = asObject(one.state)
    out.restarts += restartCount(one)
    out.lastRestart = Math.max(out.lastRestart, lastFinish(one))
    const why = asObject(waiting).reason
    if (typeof why === 'string' && why !== '') out.reason = why
    else if (terminated !== undefined) out.reason = endReason(asObject(terminated))
    else if (one.ready === true && runs !== undefined) {
      running = true
      out.ready += 1
    }
  }
  if (out.reason === 'Completed' && running) out.reason = hasTrue(status, 'Ready') ? 'Running' : 'NotReady'
  return out
}

function hasTrue(status: KubeObject['status'], condition: string): boolean {
  return asArray(status?.conditions)
    .map(asObject)
    .some(({ type, status: state }) => type === condition && state === 'True')
}

function restartCount({ restartCount: count }: Json): number {
  return typeof count === 'number' ? count : 0
}

function lastFinish({ lastState }: Json): number {
  const at = asObject(asObject(lastState).terminated).finishedAt
  return typeof at === 'string' ? Date.parse(at) || 0 : 0
}

function restartsText(object: KubeObject, now: number): string {
  const { restarts, lastRestart } = summary(object)
  if (restarts === 0 || lastRestart === 0) return String(restarts)
  return `${restarts} (${age(new Date(lastRestart).toISOString(), now)} ago)`
}

function podIp({ status }: KubeObject): string {
  return orNone(asObject(asArray(status?.podIPs)[0]).ip ?? status?.podIP)
}

function orNone(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : '<none>'
}

function gatesText({ spec, status }: KubeObject): string {
  const gates = asArray(spec?.readinessGates).map(asObject)
  if (gates.length === 0) return '<none>'
  const conditions = asArray(status?.conditions).map(asObject)
  const met = gates.filter((gate) =>
    conditions.some(({ type, status: state }) => type === gate.conditionType && state === 'True'),
  )
  return `${met.length}/${gates.length}`
}
