import type { QosClass } from '@kedge/shared/kubeapi/qos'
import { amountOf } from '@kedge/shared/kubeapi/quantity'
import type { ContainerSpec } from './container-schema.ts'
import type { Resources } from './runtime.ts'

const period = 100_000
const leastQuota = 1000
const leastShares = 2
const mostShares = 262_144
/** From here on a pod is critical to its node: it is killed last. */
const nodeCritical = 2_000_000_000

export interface ResourceInput {
  container: Pick<ContainerSpec, 'resources'>
  qosClass: QosClass
  /** `spec.priority` */
  priority: number
  /** Memory of the node, in bytes. */
  memoryBytes: number
}

/** What the kernel is told about a container, as kubelet translates its requests and limits. */
export function resourcesOf(input: ResourceInput): Resources {
  const { limits, requests } = input.container.resources
  const cpuLimit = millis(limits.cpu)
  const memoryLimit = amountOf(limits.memory) ?? 0
  return {
    cpuShares: sharesOf(requests.cpu === undefined && cpuLimit > 0 ? cpuLimit : millis(requests.cpu)),
    ...(cpuLimit > 0 && { cpuQuota: Math.max((cpuLimit * period) / 1000, leastQuota), cpuPeriod: period }),
    ...(memoryLimit > 0 && { memoryLimit: Math.floor(memoryLimit) }),
    oomScoreAdj: oomScore(input),
  }
}

function millis(cpu: unknown): number {
  return Math.ceil(Number(((amountOf(cpu) ?? 0) * 1000).toFixed(6)))
}

function sharesOf(cpuMillis: number): number {
  return Math.min(Math.max(Math.floor((cpuMillis * 1024) / 1000), leastShares), mostShares)
}

/** Who is killed first when memory runs out: the more a container asked for, the later, as kubelet has it. */
function oomScore({ container, qosClass, priority, memoryBytes }: ResourceInput): number {
  if (qosClass === 'Guaranteed' || priority >= nodeCritical) return -997
  if (qosClass === 'BestEffort') return 1000
  const { limits, requests } = container.resources
  const asked = amountOf(requests.memory ?? limits.memory) ?? 0
  const score = Math.floor(1000 - (1000 * asked) / memoryBytes)
  // Between what is guaranteed and what is best effort.
  return Math.min(Math.max(score, 3), 999)
}
