import { join } from 'node:path'
import { rfc3339 } from '@kedge/shared/clock'
import { lookAll } from '@kedge/shared/doctor/check'
import type { Found } from '@kedge/shared/doctor/given-settings'
import { told } from '@kedge/shared/doctor/words'
import type { KubeObject } from '@kedge/shared/objects'
import { aboutMachine, type Piece } from '@kedge/shared/support/gather'
import { logTail } from '@kedge/shared/support/log-tail'
import { filesIn, secretsInFiles } from '@kedge/shared/support/secret-files'
import { deviceSummary, nodeSummary, podSummary, secretsOfObject } from '@kedge/shared/support/summaries'
import { version } from '@kedge/shared/version'
import { nodeCommand } from '../cli/node.ts'
import { tokenCommand } from '../cli/token.ts'
import { cloudChecks } from '../doctor/checks.ts'
import { accessOf, reachable, withIts } from '../doctor/read.ts'
import { collectionIn } from '../kube/paths.ts'
import { isEdgeNode } from '../kube/trim.ts'
import { apiServerDir, type cloudcoreProgram } from '../settings.ts'

/** What Kubernetes holds of the edge, as far as somebody who helps wants to see it. */
export interface Objects {
  nodes: readonly KubeObject[]
  /** Of these nodes. */
  pods: readonly KubeObject[]
  devices: readonly KubeObject[]
  /** Where these pods are, as far as they may be read: only to be looked for, and taken out. */
  secrets: readonly KubeObject[]
}

export interface SupportParts {
  found: Found<typeof cloudcoreProgram.table>
  objects: Promise<Objects>
  /** The file of the log, where a person names it. */
  log: string | undefined
  self: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
}

/** What of Kubernetes concerns the edge. */
export async function readObjects(found: SupportParts['found']): Promise<Objects> {
  return withIts(found, async (kube) => {
    const all = await Promise.all(
      ['/api/v1/nodes', '/api/v1/pods', '/apis/devices.kubeedge.io/v1beta1/devices'].map((path) => kube.list(path)),
    )
    const [nodes = [], pods = [], devices = []] = all.map(({ items }) => items)
    const edge = nodes.filter(isEdgeNode)
    const names = new Set(edge.map(({ metadata }) => metadata.name))
    const isOurs = ({ spec }: KubeObject) => names.has(String((spec as { nodeName?: string } | undefined)?.nodeName))
    const ours = pods.filter(isOurs)
    const places = new Set(ours.map(({ metadata }) => metadata.namespace ?? ''))
    const secrets = await Promise.all(
      [...places].map((place) => kube.list(collectionIn('secrets', place)).catch(() => ({ items: [] }))),
    )
    return { nodes: edge, pods: ours, devices, secrets: secrets.flatMap(({ items }) => items) }
  })
}

/** What whoever is asked for help wants to see of a cloudcore. */
export function cloudPieces(parts: SupportParts): Piece[] {
  const { found, objects, log, now } = parts
  const { pid, values } = found
  const findings = lookAll(cloudChecks(parts))
  const patient = { program: 'cloudcore', version, at: rfc3339(now) }
  const access = Object.entries(accessOf(found)).flatMap(([flag, value]) => [`--${flag}`, value])
  const around = { env: values.standalone ? {} : found.env, now, note: () => {} }
  const page = (path: string) => (signal: AbortSignal) => served(values.metricsAddress, path, signal)
  return [
    { name: 'about.json', make: () => aboutMachine({ program: 'cloudcore', version, now }) },
    { name: 'settings.yaml', make: () => found.printed ?? `# ${found.faults}\n` },
    { name: 'doctor.txt', make: async () => told(await findings, patient, 'table').out },
    { name: 'doctor.json', make: async () => told(await findings, patient, 'json').out },
    { name: 'nodes.json', make: async () => (await objects).nodes.map(nodeSummary) },
    { name: 'pods.json', make: async () => (await objects).pods.map((pod) => podSummary(pod, pod.status)) },
    { name: 'devices.json', make: async () => (await objects).devices.map(deviceSummary) },
    { name: 'identities.txt', make: () => nodeCommand(['list', ...access], around) },
    { name: 'tokens.txt', make: () => tokenCommand(['list', ...access], around) },
    { name: 'sync.json', make: page('/nodes') },
    { name: 'metrics.txt', make: page('/metrics') },
    { name: 'log.txt', make: (signal) => logTail({ file: log, unit: 'cloudcore', pid }, signal) },
  ]
}

/** Everything here that is known to be secret. What cannot be read cannot be in the archive either. */
export async function cloudSecrets({ found, objects }: Pick<SupportParts, 'found' | 'objects'>): Promise<string[]> {
  const { values, data } = found
  const pki = join(apiServerDir(data), 'pki')
  const files = [
    ...[values.kubeconfig, values.writeKubeconfig, join(data, 'kubeconfig'), values.caKeyFile, values.linkTlsKey],
    ...[values.linkBrokerPasswordFile, values.linkBrokerTlsKey, values.uploadsTokenFile],
    ...filesIn(pki, /\.(pem|key|token)$/),
  ]
  const { pods, devices, secrets } = await objects.catch(() => ({ pods: [], devices: [], secrets: [] }))
  const kinds = [...pods.map(kindly('Pod')), ...devices.map(kindly('Device')), ...secrets.map(kindly('Secret'))]
  return [...secretsInFiles(files), ...kinds.flatMap(secretsOfObject)]
}

/** Items of a list need not say their kind. */
function kindly(kind: string): (object: KubeObject) => KubeObject {
  return (object) => ({ ...object, kind })
}

async function served(
  address: { host: string; port: number } | null,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!address || address.port === 0) return undefined
  return (await fetch(`http://${reachable(address.host)}:${address.port}${path}`, { signal })).text()
}
