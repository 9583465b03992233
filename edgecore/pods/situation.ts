import type { Rejection } from './admission.ts'
import type { Container, Sandbox } from './runtime.ts'
import type { Wanted, WantedContainer, WantedSpec } from './spec.ts'

/** Everything that is known of one pod at one moment: what `plan` and `podStatus` decide on. */
export interface Situation {
  /** Absent when the verified state holds no such pod. */
  wanted?: Wanted
  /** What the engine holds under the pod's name, of whatever uid. */
  seen: readonly Sandbox[]
  /** The images that the spec names. */
  images: ReadonlyMap<string, ImageState>
  /** Whether the pod's volumes hold what they should, or why they cannot. */
  volumes: { is: 'ready' } | { is: 'stale' } | { is: 'missing'; why: string }
  /** Why a container cannot be configured: a ConfigMap, a Secret or a key that is missing. By container name. */
  unconfigured: ReadonlyMap<string, string>
  /** Steps that failed and wait for their next try, by the step's subject. */
  failures: ReadonlyMap<string, Failure>
  /** The end that was already reported: a pod that has ended never runs again, whatever the engine forgot. */
  ended?: 'succeeded' | 'failed'
  /** The node did not take it: it has failed and nothing is made of it. */
  rejection?: Rejection
  /** It is taken down, and brought up again once it is no longer held. */
  held?: boolean
  /** It is held because it asked for that, and has not begun. */
  onHold?: boolean
  /** When the pod's `activeDeadlineSeconds` are over, in ms since the epoch. */
  expiresAt?: number
  /** What is known of running containers by looking after them, by their ids; of one that is not here, nothing is wrong. */
  tended: ReadonlyMap<string, Tended>
  /** Containers that were killed to be started anew, by their ids: they come back whatever their exit code. */
  killed: ReadonlySet<string>
  /** When the pod began to go down (ms since the epoch), by sandbox. */
  downSince: ReadonlyMap<string, number>
  /** What containers that have exited said last, by their ids. */
  lastWords: ReadonlyMap<string, string>
  /** What the pod asks for that Kedge does not do, each by name; the pod runs without it. */
  unsupported: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

/** What looking after a running container has shown. */
export interface Tended {
  /** Its startup probe has succeeded, if it has one. */
  started: boolean
  ready: boolean
  /** Its hook after the start still runs. */
  settling?: true
  /** It has to be restarted. `graceMs`: what it gets to end, if not what the pod says. */
  doomed?: { why: string; graceMs?: number }
  /** Its hook before the end runs; it is killed at this time. */
  endsBy?: number
}

export type ImageState =
  | { is: 'absent' }
  /** `pulledAt`: when it was last asked for at its registry, if this edgecore did. */
  | { is: 'present'; id: string; pulledAt?: number }
  | { is: 'pulling' }
  /** `id`: an older copy is on the node. */
  | { is: 'failed'; message: string; failedAt: number; retryAt: number; tries: number; id?: string }

export interface Failure {
  /** CamelCase, as the container's state gives it. */
  reason: string
  message: string
  tries: number
  retryAt: number
}

/** What has become of one container of the spec. */
export interface Past {
  /** The newest container of that name. */
  latest?: Container
  /** The one before it. */
  previous?: Container
  /** Whether the newest lives in the sandbox that is in use. */
  current: boolean
}

export interface Own {
  /** The sandboxes of the wanted uid, newest first. */
  sandboxes: Sandbox[]
  /** The newest sandbox, if it is ready. */
  sandbox?: Sandbox
}

export function ownOf({ wanted, seen }: Situation): Own {
  const sandboxes = seen.filter(({ pod }) => pod.uid === wanted?.uid).sort((a, b) => b.attempt - a.attempt)
  const [newest] = sandboxes
  return newest?.ready ? { sandboxes, sandbox: newest } : { sandboxes }
}

export function pastOf({ sandboxes, sandbox }: Own, name: string): Past {
  const all = sandboxes
    .flatMap((one) => one.containers.filter((container) => container.name === name))
    .sort((a, b) => b.attempt - a.attempt)
  const [latest, previous] = all
  const current = latest !== undefined && sandbox?.containers.some(({ id }) => id === latest.id) === true
  return { current, ...(latest && { latest }), ...(previous && { previous }) }
}

export function isRunning(container: Container | undefined): boolean {
  return container?.state.is === 'running' || container?.state.is === 'stopping'
}

/** Whether a container that has exited stays that way, by the pod's restart policy. */
export function staysDown(
  spec: WantedSpec,
  wanted: WantedContainer,
  { container, killed }: { container: Container | undefined; killed: ReadonlySet<string> },
): boolean {
  if (container?.state.is !== 'exited' || wanted.kind === 'sidecar') return false
  if (killed.has(container.id) && spec.restartPolicy !== 'Never') return false
  // It made way for another image, which has not had its chance.
  if (container.image !== wanted.image) return false
  const succeeded = container.state.exitCode === 0
  if (wanted.kind === 'init') return !succeeded && spec.restartPolicy === 'Never'
  return spec.restartPolicy === 'Never' || (spec.restartPolicy === 'OnFailure' && succeeded)
}

export type Fate = 'open' | 'succeeded' | 'failed'

/** Whether the pod has come to its end, by what its containers did and the restart policy. */
export function fateOf(spec: WantedSpec, own: Own, { ended, rejection, expiresAt, killed, now }: Situation): Fate {
  if (rejection !== undefined) return 'failed'
  if (ended !== undefined) return ended
  if (expiresAt !== undefined && expiresAt <= now) return 'failed'
  const pasts = spec.containers.map((wanted) => ({ wanted, ...pastOf(own, wanted.name) }))
  const isDown = (wanted: WantedContainer, container: Container | undefined) =>
    staysDown(spec, wanted, { container, killed })
  if (pasts.some(({ wanted, latest }) => wanted.kind === 'init' && isDown(wanted, latest))) return 'failed'
  const mains = pasts.filter(({ wanted }) => wanted.kind === 'main')
  // With "Never", a sandbox that is lost takes down with it what had not begun.
  const begun = own.sandboxes.some(({ containers }) => containers.length > 0)
  const lost = spec.restartPolicy === 'Never' && begun && own.sandbox === undefined
  if (!mains.every(({ wanted, latest }) => isDown(wanted, latest) || (lost && !isRunning(latest)))) return 'open'
  const well = mains.every(({ latest }) => latest?.state.is === 'exited' && latest.state.exitCode === 0)
  return well ? 'succeeded' : 'failed'
}
