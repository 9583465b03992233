import { asObject } from '@kedge/shared/kubeapi/schema'
import type { KubeObject } from '@kedge/shared/objects'
import { type Amounts, type Claim, claimOf, clash, counted } from './claim.ts'

/** What a node has to give, as its `allocatable` says. */
export interface Room {
  amounts: Amounts
  pods: number
  /** What this node says of itself: what others have set on its Node is not known here. */
  labels: Readonly<Record<string, string>>
}

/** Why a node does not take a pod: the reason and message of a pod that has failed for it. */
export interface Rejection {
  reason: string
  message: string
}

/** The reasons that a node rejects pods for: a pod that failed for one of them stays failed. */
const reasons = /^(OutOf(cpu|memory|ephemeral-storage|pods)|NodePorts|NodeAffinity|PodOSNotSupported)$/

export function isRejection(reason: unknown): boolean {
  return typeof reason === 'string' && reasons.test(reason)
}

/**
 * Whether a node with these pods has room for one more, in the words of kubelet. Scheduling was decided elsewhere; this
 * is asked again because a pod may come with its node's name on it, and because two may come at once.
 */
export function admit(pod: KubeObject, others: readonly Claim[], room: Room): Rejection | undefined {
  const claim = claimOf(pod)
  return outOf(claim, others, room) ?? misplaced(pod, room) ?? portTaken(claim, others)
}

function outOf({ requests }: Claim, others: readonly Claim[], { amounts, pods }: Room): Rejection | undefined {
  if (others.length >= pods) return short('pods', [1, others.length, pods])
  for (const name of counted) {
    const used = others.reduce((sum, other) => sum + other.requests[name], 0)
    const factor = name === 'cpu' ? 1000 : 1
    const figures = [requests[name], used, amounts[name]].map((amount) => Math.round(amount * factor))
    const [wanted = 0, taken = 0, all = 0] = figures
    if (wanted > 0 && taken + wanted > all) return short(name, figures)
  }
  return undefined
}

/** Processors are told in thousandths, as kubelet does. */
function short(name: string, [requested, used, capacity]: readonly number[]): Rejection {
  const message = `Pod was rejected: Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`
  return { reason: `OutOf${name}`, message }
}

function misplaced({ spec = {} }: KubeObject, { labels }: Room): Rejection | undefined {
  const os = asObject(spec.os).name
  if (os !== undefined && os !== 'linux') {
    return { reason: 'PodOSNotSupported', message: `Pod was rejected: spec.os.name: found "${os}", this node is linux` }
  }
  for (const [name, value] of Object.entries(asObject(spec.nodeSelector))) {
    if (labels[name] === undefined || labels[name] === value) continue
    const message = `Pod was rejected: Predicate NodeAffinity failed: spec.nodeSelector asks for ${name}=${value}, this node has ${name}=${labels[name]}`
    return { reason: 'NodeAffinity', message }
  }
  return undefined
}

function portTaken({ hostPorts }: Claim, others: readonly Claim[]): Rejection | undefined {
  for (const port of hostPorts) {
    const holder = others.find((other) => other.hostPorts.some((held) => clash(held, port)))
    if (holder === undefined) continue
    const message = `Pod was rejected: Predicate NodePorts failed: host port ${port.port}/${port.protocol} is held by pod ${holder.pod}`
    return { reason: 'NodePorts', message }
  }
  return undefined
}

export interface Applicant {
  uid: string
  /** As the cloud sent it. */
  content: KubeObject
  /** It was admitted before: the engine or a report knows it. */
  known: boolean
  /** It has come to its end and takes nothing. */
  ended: boolean
}

export interface AdmissionOptions {
  /** What was let in by an earlier edgecore and has not ended. */
  admitted: readonly KubeObject[]
  /** The pods that this node should run, `<namespace>/<name>`. */
  wanted: () => ReadonlySet<string>
  room: () => Room
}

/**
 * Who was let in on this node.
 *
 * Invariants:
 * - Who is in stays in until it has ended or is wanted no more; a pod that runs is never put out, whatever changes.
 * - Judging and letting in are one step: two pods never get the same room.
 * - Two pods of one name are never in at once: the new one takes the place of the old.
 */
export class Admission {
  readonly #admitted = new Map<string, { uid: string; claim: Claim }>()
  readonly #options: Pick<AdmissionOptions, 'wanted' | 'room'>

  constructor({ admitted, ...options }: AdmissionOptions) {
    this.#options = options
    for (const content of admitted) this.#letIn(content.metadata.uid ?? '', content)
  }

  /** Lets a pod in, or says why not. */
  judge({ uid, content, known, ended }: Applicant): Rejection | undefined {
    const pod = podOf(content)
    const isIn = this.#admitted.get(pod)?.uid === uid
    if (ended) {
      if (isIn) this.#admitted.delete(pod)
      return undefined
    }
    if (isIn) return undefined
    const rejection = known ? undefined : admit(content, this.#others(pod), this.#options.room())
    if (rejection === undefined) this.#letIn(uid, content)
    return rejection
  }

  #letIn(uid: string, content: KubeObject): void {
    this.#admitted.set(podOf(content), { uid, claim: claimOf(content) })
  }

  #others(pod: string): Claim[] {
    const wanted = this.#options.wanted()
    for (const name of this.#admitted.keys()) if (!wanted.has(name)) this.#admitted.delete(name)
    return [...this.#admitted.values()].flatMap(({ claim }) => (claim.pod === pod ? [] : [claim]))
  }
}

function podOf({ metadata: { namespace = 'default', name } }: KubeObject): string {
  return `${namespace}/${name}`
}
