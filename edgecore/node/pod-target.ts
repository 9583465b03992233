import type { Container, Sandbox } from '../pods/runtime.ts'
import { isRunning } from '../pods/situation.ts'

/** What a person asks for, or why there is none: a sentence that says what to do. */
export type Found<T> = { is: 'found'; found: T } | { is: 'none'; code: number; reason: string }

export interface ContainerWish {
  /** `<namespace>/<name>` of the pod. */
  pod: string
  /** Uid of the pod that is wanted at present, where one is. */
  uid?: string
  /** Name of the container; the pod's only one, or its first, unless given. */
  container?: string
  /** Names of the containers of the spec, the main ones first. */
  names: readonly string[]
  /** The one before the newest. */
  previous?: boolean
}

export interface Place {
  sandbox: Sandbox
  container: Container
}

/** The container that a person means, by what the engine has. */
export function placeOf(sandboxes: readonly Sandbox[], wish: ContainerWish): Found<Place> {
  const { pod, uid, names } = wish
  const own = sandboxes.filter((one) => uid === undefined || one.pod.uid === uid)
  if (own.length === 0 && names.length === 0) return none(404, `there is no pod ${pod} on this node`)
  const name = wish.container ?? names[0] ?? own[0]?.containers[0]?.name ?? ''
  const known = names.length > 0 ? names : [...new Set(own.flatMap((one) => one.containers.map((each) => each.name)))]
  if (!known.includes(name)) return none(404, `pod ${pod} has no container "${name}"; it has ${known.join(', ')}`)
  const places = own
    .flatMap((sandbox) => sandbox.containers.map((container) => ({ sandbox, container })))
    .filter(({ container }) => container.name === name)
    .sort((one, other) => other.container.attempt - one.container.attempt)
  const found = places[wish.previous ? 1 : 0]
  if (found) return { is: 'found', found }
  if (wish.previous) return none(404, `container ${name} of pod ${pod} was not restarted, or its last run is gone`)
  return none(409, `container ${name} of pod ${pod} was not started yet`)
}

/** The same, if it runs. */
export function runningOf(sandboxes: readonly Sandbox[], wish: ContainerWish): Found<Place> {
  const place = placeOf(sandboxes, wish)
  if (place.is === 'none' || isRunning(place.found.container)) return place
  return none(409, `container ${place.found.container.name} of pod ${wish.pod} does not run`)
}

export function none(code: number, reason: string): { is: 'none'; code: number; reason: string } {
  return { is: 'none', code, reason }
}
