import { amountOf } from '@kedge/shared/kubeapi/quantity'
import { asArray, asObject, type Json } from '@kedge/shared/kubeapi/schema'
import type { KubeObject } from '@kedge/shared/objects'

/** What is counted when a node is asked whether it has room. Processors in cores, the others in bytes. */
export const counted = ['cpu', 'memory', 'ephemeral-storage'] as const
export type Counted = (typeof counted)[number]
export type Amounts = Record<Counted, number>

export interface HostPort {
  port: number
  protocol: string
  /** `0.0.0.0` for every address. */
  ip: string
}

/** What one pod takes of its node. */
export interface Claim {
  /** `<namespace>/<name>` */
  pod: string
  requests: Amounts
  hostPorts: HostPort[]
}

/** Reads what a pod asks for; what cannot be read counts as nothing, for saying so is the business of its own check. */
export function claimOf({ metadata, spec = {} }: KubeObject): Claim {
  const { namespace = 'default', name } = metadata
  return { pod: `${namespace}/${name}`, requests: requestsOf(spec), hostPorts: hostPortsOf(spec) }
}

/**
 * The effective request by Kubernetes' rule: the sum of what runs together (containers and sidecars), or more if an init
 * container needs more together with the sidecars before it; plus the overhead.
 */
function requestsOf(spec: Json): Amounts {
  let sidecars = none()
  let peak = none()
  for (const container of asArray(spec.initContainers).map(asObject)) {
    const own = requested(container)
    if (container.restartPolicy === 'Always') sidecars = join(sidecars, own, add)
    peak = join(peak, container.restartPolicy === 'Always' ? sidecars : join(sidecars, own, add), Math.max)
  }
  const mains = asArray(spec.containers).map((one) => requested(asObject(one)))
  const together = mains.reduce((sum, one) => join(sum, one, add), sidecars)
  return join(join(together, peak, Math.max), amountsIn(asObject(spec.overhead)), add)
}

/** A limit without a request is a request. */
function requested({ resources }: Json): Amounts {
  const { requests, limits } = asObject(resources)
  return amountsIn({ ...asObject(limits), ...asObject(requests) })
}

/** The amounts in a resource list; what is not named is 0. */
export function amountsIn(list: Json): Amounts {
  const amount = (name: Counted) => Math.max(0, amountOf(list[name] ?? 0) ?? 0)
  return { cpu: amount('cpu'), memory: amount('memory'), 'ephemeral-storage': amount('ephemeral-storage') }
}

/** Reads `cpu=200m,memory=256Mi`; undefined when it is anything else. What is not named is 0. */
export function readAmounts(text: string): Amounts | undefined {
  const amounts = none()
  for (const part of text.split(',')) {
    const [, name, value] = /^([a-z-]+)=(.+)$/.exec(part.trim()) ?? []
    const amount = value === undefined ? undefined : amountOf(value)
    const known = counted.find((one) => one === name)
    if (known === undefined || amount === undefined || amount < 0) return undefined
    amounts[known] = amount
  }
  return amounts
}

function none(): Amounts {
  return amountsIn({})
}

const add = (one: number, other: number) => one + other

function join(one: Amounts, other: Amounts, how: (a: number, b: number) => number): Amounts {
  const name = 'ephemeral-storage'
  return { cpu: how(one.cpu, other.cpu), memory: how(one.memory, other.memory), [name]: how(one[name], other[name]) }
}

function hostPortsOf(spec: Json): HostPort[] {
  return [...asArray(spec.initContainers), ...asArray(spec.containers)].flatMap((container) =>
    asArray(asObject(container).ports).flatMap((one) => {
      const { hostPort, containerPort, protocol, hostIP } = asObject(one)
      // On the node's own network each port of a container is one of the node.
      const port = hostPort ?? (spec.hostNetwork === true ? containerPort : undefined)
      if (typeof port !== 'number' || port <= 0) return []
      return [{ port, protocol: String(protocol ?? 'TCP'), ip: typeof hostIP === 'string' && hostIP ? hostIP : anyIP }]
    }),
  )
}

const anyIP = '0.0.0.0'

/** Whether two ports of the node cannot be had at the same time. */
export function clash(one: HostPort, other: HostPort): boolean {
  const every = (ip: string) => ip === anyIP || ip === '::'
  const meet = one.ip === other.ip || every(one.ip) || every(other.ip)
  return meet && one.port === other.port && one.protocol === other.protocol
}
