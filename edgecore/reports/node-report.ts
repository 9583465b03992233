import { canonical } from '@kedge/shared/canonical'
import { rfc3339 } from '@kedge/shared/clock'
import type { NodeReport } from '@kedge/shared/reports'
import type { Amounts } from '../pods/claim.ts'
import type { Health } from '../pods/runtime.ts'
import type { NodeCondition } from './node-conditions.ts'
import type { NodeFacts } from './node-facts.ts'
import type { NodeImage } from './node-images.ts'
import { allocatableOf, capacityOf } from './node-room.ts'

export interface NodeStatusInput {
  nodeName: string
  facts: NodeFacts
  /** `process.arch` and `process.platform`. */
  arch: string
  platform: string
  /** Of edgecore. */
  version: string
  /** `version` is absent when the engine does not tell it. */
  runtime: { name: string; version?: string; health: Health; notice?: Notice }
  /** What is set aside for the system; nothing unless given. */
  reserved?: Amounts
  /** Undefined when the engine does not tell them now: then those that were told last stay. */
  images?: readonly NodeImage[]
  pressures: Pressures
  /** What other parts say of the node. */
  conditions?: readonly NodeCondition[]
  /** What was reported last: where nothing changed, its times stay. */
  previous?: NodeReport
  /** Milliseconds since the epoch. */
  now: number
}

interface Notice {
  type: string
  reason: string
  message: string
}

/** The release of Kubernetes whose Pod and Node semantics are followed. */
const kubernetesVersion = 'v1.32.0'

/** The report on the node itself, with labels and `Node.status` as kubelet gives them. */
export function nodeReport(input: NodeStatusInput): NodeReport {
  const { nodeName, facts, runtime, version } = input
  const architecture = goArch(input.arch)
  const images = input.images ?? input.previous?.status.images
  return {
    is: 'node',
    labels: nodeLabels(input),
    status: {
      capacity: capacityOf(facts),
      allocatable: allocatableOf(facts, input.reserved),
      addresses: [
        { type: 'InternalIP', address: facts.address },
        { type: 'Hostname', address: nodeName },
      ],
      conditions: conditionsOf(input),
      nodeInfo: {
        machineID: facts.machineId,
        systemUUID: facts.systemUuid,
        bootID: facts.bootId,
        kernelVersion: facts.kernelVersion,
        osImage: facts.osImage,
        containerRuntimeVersion: `${runtime.name}://${runtime.version ?? 'unknown'}`,
        kubeletVersion: `${kubernetesVersion}-kedge-${version}`,
        kubeProxyVersion: '',
        operatingSystem: input.platform,
        architecture,
      },
      ...(images !== undefined && { images }),
    },
  }
}

/** What a node says of itself for those who choose where pods run. `arch` and `platform` are Node.js's words. */
export function nodeLabels({ nodeName, platform, arch }: Pick<NodeStatusInput, 'nodeName' | 'platform' | 'arch'>) {
  return { 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': platform, 'kubernetes.io/arch': goArch(arch) }
}

/** The architecture as Go, and so Kubernetes, names it. */
export function goArch(arch: string): string {
  return { x64: 'amd64', ia32: '386' }[arch] ?? arch
}

export interface Pressures {
  memory: boolean
  disk: boolean
  pids: boolean
}

/** Where the machine runs short, by kubelet's thresholds. */
export function pressuresOf({ memory, disk, imageDisk, pids }: NodeFacts): Pressures {
  const own = disk.available < 0.1 * disk.total || (disk.inodes > 0 && disk.inodesFree < 0.05 * disk.inodes)
  return {
    memory: memory.available < 100 * 1024 * 1024,
    disk: own || (imageDisk !== undefined && imageDisk.available < 0.15 * imageDisk.total),
    pids: pids !== undefined && pids.max - pids.used < 0.05 * pids.max,
  }
}

function conditionsOf({
  pressures,
  runtime,
  conditions = [],
  previous,
  now,
}: NodeStatusInput): Record<string, string>[] {
  const { notice, health } = runtime
  const facts: NodeCondition[] = [
    judged(
      'MemoryPressure',
      pressures.memory,
      ['HasInsufficientMemory', 'has insufficient memory available'],
      ['HasSufficientMemory', 'has sufficient memory available'],
    ),
    judged(
      'DiskPressure',
      pressures.disk,
      ['HasDiskPressure', 'has disk pressure'],
      ['HasNoDiskPressure', 'has no disk pressure'],
    ),
    judged(
      'PIDPressure',
      pressures.pids,
      ['HasInsufficientPID', 'has insufficient PID available'],
      ['HasSufficientPID', 'has sufficient PID available'],
    ),
    health.runtime.ok
      ? { type: 'Ready', status: 'True', reason: 'EdgecoreReady', message: 'edgecore is ready' }
      : {
          type: 'Ready',
          status: 'False',
          reason: 'RuntimeNotReady',
          message: `${runtime.name}: ${health.runtime.message}`,
        },
    ...networkCondition(health),
  ]
  if (notice) facts.push({ ...notice, status: 'True' })
  facts.push(...conditions)
  const before = (previous?.status.conditions ?? []) as Record<string, string>[]
  return facts.map((fact) => {
    const old = before.find(({ type }) => type === fact.type)
    const since = old?.status === fact.status ? old.lastTransitionTime : undefined
    return { ...fact, lastHeartbeatTime: rfc3339(now), lastTransitionTime: since ?? rfc3339(now) }
  })
}

/**
 * Pods on the node's own network do without a pod network, so its lack is not a node that is not ready, from which
 * everything would be evicted: it is the condition that keeps new pods away.
 */
function networkCondition({ runtime, network }: Health): NodeCondition[] {
  const type = 'NetworkUnavailable'
  if (!runtime.ok) return []
  if (network.ok) return [{ type, status: 'False', reason: 'PodNetworkReady', message: 'the pod network is ready' }]
  const { reason, message } = network
  return [{ type, status: 'True', reason, message }]
}

function judged(type: string, is: boolean, bad: [string, string], good: [string, string]): NodeCondition {
  const [reason, message] = is ? bad : good
  return { type, status: is ? 'True' : 'False', reason, message: `edgecore ${message}` }
}

/** Whether two reports say the same, whenever they were made. */
export function sameNode(one: NodeReport, other: NodeReport): boolean {
  return canonical(withoutTimes(one)) === canonical(withoutTimes(other))
}

function withoutTimes(report: NodeReport): unknown {
  const conditions = (report.status.conditions ?? []) as Record<string, string>[]
  return {
    ...report,
    status: {
      ...report.status,
      conditions: conditions.map(({ lastHeartbeatTime: _beat, lastTransitionTime: _since, ...rest }) => rest),
    },
  }
}
