import { type Need, needOf } from './container.ts'
import type { Sandbox } from './runtime.ts'
import { fateOf, isRunning, type Own, ownOf, pastOf, type Situation } from './situation.ts'
import type { Wanted, WantedContainer, WantedSpec } from './spec.ts'
import { removal, stopping } from './takedown.ts'

interface StepArgs {
  /** Bring the files of the pod's volumes up to date. */
  mount: object
  /** Remove the files of a pod that is gone. */
  unmount: { uid: string }
  createSandbox: { attempt: number }
  stopSandbox: { id: string }
  removeSandbox: { id: string }
  pull: { container: string; image: string }
  /** Make a container and start it. */
  run: { sandbox: string; container: WantedContainer; attempt: number; backoffMs: number; imageId: string }
  /** Start one that was made and not started. */
  start: { id: string; container: string; sandbox: string }
  /** `sandbox`: the whole pod goes down. */
  stop: { id: string; container: string; graceMs: number; why: string; sandbox?: string }
  remove: { id: string }
  /** Nothing to do before `until` (ms since the epoch), or before something else happens. */
  wait: { why: string; until?: number }
}

export type StepName = keyof StepArgs
export type StepOf<Is extends StepName> = { is: Is } & StepArgs[Is]
export type Step = { [Is in StepName]: StepOf<Is> }[StepName]
/** A step that somebody does. */
export type DueName = Exclude<StepName, 'wait'>
export type Due = { [Is in DueName]: StepOf<Is> }[DueName]
/** One doer per step: one that is forgotten does not compile. */
export type Doers = { [Is in DueName]: (step: StepOf<Is>) => Promise<void> }

/**
 * What to do now for one pod, in this order. The steps of one plan do not need each other: one that fails leaves the
 * others as they are. After them the world is looked at again; a plan of nothing but waits is a pod that has settled.
 */
export function plan(situation: Situation): Step[] {
  return heldBack(steps(situation), situation)
}

function steps(situation: Situation): Step[] {
  const { wanted, seen } = situation
  const others = seen.filter(({ pod }) => pod.uid !== wanted?.uid)
  // Two pods of one name never run at once: the old one goes first.
  if (others.length > 0) return others.flatMap((sandbox) => removal(sandbox, situation))
  if (wanted === undefined) return []
  const own = ownOf(situation)
  const { deletion, spec } = wanted
  const down = (graceMs?: number) => own.sandboxes.flatMap((one) => stopping(one, graceMs ?? one.graceMs, situation))
  if (deletion) return down(deletion.graceMs)
  if (spec === undefined) return []
  if (situation.held) return down()
  return fateOf(spec, own, situation) === 'open' ? upward(wanted, spec, own, situation) : down()
}

/** Towards everything that is wanted running. */
function upward(wanted: Wanted, spec: WantedSpec, own: Own, situation: Situation): Step[] {
  // What runs goes on; nothing new is made of what was refused.
  if (wanted.refusal) return [{ is: 'wait', why: wanted.refusal.message }]
  // What an older sandbox still runs would run twice.
  const older = own.sandboxes.filter((one) => one !== own.sandbox)
  const ghosts = older.flatMap((one) => stopping(one, one.graceMs, situation))
  if (ghosts.length > 0) return ghosts
  const { volumes } = situation
  const files: Step[] = volumes.is === 'stale' ? [{ is: 'mount' }] : []
  if (own.sandbox !== undefined) {
    const { expiresAt } = situation
    const end: Step[] = expiresAt === undefined ? [] : [{ is: 'wait', why: 'activeDeadlineSeconds', until: expiresAt }]
    return [...end, ...files, ...containers(spec, own, own.sandbox, situation), ...leftovers(spec, own)]
  }
  if (files.length > 0) return files
  if (volumes.is === 'missing') return [{ is: 'wait', why: volumes.why }]
  return [{ is: 'createSandbox', attempt: (own.sandboxes[0]?.attempt ?? -1) + 1 }]
}

function containers(spec: WantedSpec, own: Own, sandbox: Sandbox, situation: Situation): Step[] {
  const steps: Step[] = []
  let settled = true
  for (const wanted of turnsOf(spec, own, situation)) {
    const past = pastOf(own, wanted.name)
    const need = needOf({ spec, wanted, past, since: sandbox.createdAt }, situation)
    if (need.is === 'nothing') continue
    const begins = need.is === 'create' || need.is === 'start'
    // Whoever has a hook after its start goes alone: those behind it begin when the hook is done.
    if (begins && !settled) continue
    steps.push(stepFor(need, wanted, sandbox))
    if (begins && wanted.of.lifecycle.postStart !== undefined) settled = false
  }
  return steps
}

function stepFor(need: Exclude<Need, { is: 'nothing' }>, wanted: WantedContainer, sandbox: Sandbox): Step {
  const container = wanted.name
  switch (need.is) {
    case 'start':
      return { is: 'start', id: need.id, container, sandbox: sandbox.id }
    case 'pull':
      return { is: 'pull', container, image: wanted.image }
    case 'stop':
      return { is: 'stop', id: need.id, container, graceMs: need.graceMs ?? sandbox.graceMs, why: need.why }
    case 'create': {
      const { attempt, backoffMs, imageId } = need
      return { is: 'run', sandbox: sandbox.id, container: wanted, attempt, backoffMs, imageId }
    }
    case 'wait': {
      const why = need.message ?? need.reason
      return need.until === undefined ? { is: 'wait', why } : { is: 'wait', why, until: need.until }
    }
  }
}

/**
 * The containers whose turn it is: init containers one after the other, each when the one before has ended well (a
 * sidecar: has started); then all others, each when the hooks of those before it are done. Once one of those was made,
 * the init containers are behind us.
 */
export function turnsOf(spec: WantedSpec, own: Own, situation: Situation): WantedContainer[] {
  const mains = spec.containers.filter(({ kind }) => kind === 'main')
  const before = spec.containers.filter(({ kind }) => kind !== 'main')
  const initialized = mains.some(({ name }) => pastOf(own, name).current)
  const turns: WantedContainer[] = []
  for (const wanted of before) {
    if (initialized && wanted.kind === 'init') continue
    turns.push(wanted)
    if (!initialized && !letsPass(wanted, own, situation)) return turns
  }
  let settled = true
  for (const wanted of mains) {
    // Whoever was made is looked after, whatever the others do.
    if (settled || pastOf(own, wanted.name).current) turns.push(wanted)
    settled &&= !isSettling(wanted, own, situation)
  }
  return turns
}

/** Whether the init container or sidecar lets those behind it begin. */
export function letsPass({ name, kind }: WantedContainer, own: Own, { tended }: Situation): boolean {
  const { latest, current } = pastOf(own, name)
  if (latest === undefined || !current) return false
  if (kind === 'init') return latest.state.is === 'exited' && latest.state.exitCode === 0
  const { started = true, settling = false } = tended.get(latest.id) ?? {}
  return isRunning(latest) && started && !settling
}

function isSettling({ name }: WantedContainer, own: Own, { tended }: Situation): boolean {
  const { latest } = pastOf(own, name)
  return latest !== undefined && tended.get(latest.id)?.settling === true
}

/** Of each name the newest two are kept, the older for its exit code; and no sandbox that has nothing to tell. */
function leftovers(spec: WantedSpec, own: Own): Step[] {
  const kept = new Set(
    spec.containers.flatMap(({ name }) => {
      const { latest, previous } = pastOf(own, name)
      return [latest?.id, previous?.id]
    }),
  )
  return own.sandboxes.flatMap((sandbox): Step[] => {
    const spare = sandbox.containers.filter((container) => !kept.has(container.id) && !isRunning(container))
    if (sandbox !== own.sandbox && spare.length === sandbox.containers.length)
      return [{ is: 'removeSandbox', id: sandbox.id }]
    return spare.map(({ id }) => ({ is: 'remove', id }))
  })
}

/** By which name the failures of a step are remembered. */
export function subjectOf(step: Step): string {
  switch (step.is) {
    case 'run':
      return `container/${step.container.name}`
    case 'start':
      return `container/${step.container}`
    case 'pull':
    case 'mount':
    case 'wait':
      return step.is
    case 'createSandbox':
      return 'sandbox'
    case 'unmount':
      return `unmount/${step.uid}`
    case 'stop':
    case 'remove':
    case 'stopSandbox':
    case 'removeSandbox':
      return `${step.is}/${step.id}`
  }
}

/** A step that failed is tried again when its time has come, not in the next breath. */
function heldBack(steps: Step[], { failures, now }: Situation): Step[] {
  return steps.map((step) => {
    const failure = failures.get(subjectOf(step))
    if (failure === undefined || failure.retryAt <= now) return step
    return { is: 'wait', why: failure.message, until: failure.retryAt }
  })
}
