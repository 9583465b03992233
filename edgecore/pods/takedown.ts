import { type Step, subjectOf } from './plan.ts'
import type { Container, Sandbox } from './runtime.ts'
import { isRunning, type Situation } from './situation.ts'

/** What a container always gets to end, whatever others have used up, in milliseconds. */
export const leastGrace = 2000

/**
 * Ends a sandbox and keeps what there is to tell of it. Sidecars end after the containers that they serve, the last of
 * them first; all share one grace, which began when the first of them was asked to end, by whichever edgecore.
 */
export function stopping(sandbox: Sandbox, graceMs: number, situation: Situation): Step[] {
  const { now, tended, downSince } = situation
  const running = sandbox.containers.filter(isRunning)
  const mains = running.filter(({ kind }) => kind !== 'sidecar')
  const first = mains.length > 0 ? mains : inOrder(running, situation).slice(-1)
  if (first.length === 0) return sandbox.ready ? [{ is: 'stopSandbox', id: sandbox.id }] : []
  const spent = Math.max(0, now - (downSince.get(sandbox.id) ?? now))
  return first.map(({ id, name, kind, state }): Step => {
    const least = kind === 'sidecar' ? leastGrace : Math.min(graceMs, leastGrace)
    const left = graceMs > 0 ? Math.max(graceMs - spent, least) : 0
    const killedAt = state.is === 'stopping' ? state.until : Number.POSITIVE_INFINITY
    const until = Math.min(killedAt, tended.get(id)?.endsBy ?? Number.POSITIVE_INFINITY)
    // Asked again only when the grace became shorter. The margin keeps an equal wish from counting as a shorter one.
    if (until > now + left + 1000)
      return { is: 'stop', id, container: name, graceMs: left, why: `Stopping container ${name}`, sandbox: sandbox.id }
    return { is: 'wait', why: `container ${name} is stopping`, until }
  })
}

/** Containers in the order of the spec, where it is known; else in that in which they were made. */
function inOrder(containers: readonly Container[], { wanted }: Situation): Container[] {
  const names = wanted?.spec?.containers.map(({ name }) => name) ?? []
  return [...containers].sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name) || a.createdAt - b.createdAt)
}

/** Ends a sandbox and removes what there is of it. */
export function removal(sandbox: Sandbox, situation: Situation): Step[] {
  const steps = stopping(sandbox, sandbox.graceMs, situation)
  if (steps.length > 0) return steps
  const remove: Step = { is: 'removeSandbox', id: sandbox.id }
  const failure = situation.failures.get(subjectOf(remove))
  // While the sandbox cannot be removed there is nothing to repeat for its files.
  if (failure !== undefined && failure.retryAt > situation.now) return [remove]
  return [{ is: 'unmount', uid: sandbox.pod.uid }, remove]
}
