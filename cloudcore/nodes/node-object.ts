import type { KubeObject } from '@kedge/shared/objects'
import type { NodeReport } from '@kedge/shared/reports'
import { type Condition, conditionOf, conditionsIn, withConditions } from '../kube/conditions.ts'
import { isJson, type Json, withoutNulls } from '../kube/merge-patch.ts'
import { edgeLabel, registeredAnnotation } from '../kube/trim.ts'

type Labels = Record<string, string>

/** The labels that edgecore reported last, as JSON: those that it may change again. */
export const reportedLabelsAnnotation = 'kedge.io/reported-labels'

/** A Node as it is first registered, with the labels that KubeEdge sets. */
export function newNode(name: string, report: NodeReport): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: registeredLabels(name, report),
      annotations: {
        [registeredAnnotation]: 'true',
        [reportedLabelsAnnotation]: JSON.stringify(allowed(report.labels)),
      },
    },
    spec: {},
  }
}

function registeredLabels(name: string, { labels, status }: NodeReport): Labels {
  const info = isJson(status.nodeInfo) ? status.nodeInfo : {}
  const own: Labels = { 'kubernetes.io/hostname': name }
  if (typeof info.operatingSystem === 'string') own['kubernetes.io/os'] = info.operatingSystem
  if (typeof info.architecture === 'string') own['kubernetes.io/arch'] = info.architecture
  return { ...own, ...allowed(labels), [edgeLabel]: '', 'node-role.kubernetes.io/agent': '' }
}

const ownDomains = /(^|\.)(kubernetes\.io|k8s\.io|kedge\.io)\//
const freeLabels =
  /^(kubernetes\.io\/(hostname|os|arch)|beta\.kubernetes\.io\/(os|arch|instance-type)|node\.kubernetes\.io\/instance-type|topology\.kubernetes\.io\/(region|zone)|failure-domain\.beta\.kubernetes\.io\/(region|zone)|(.*\.)?node\.kubernetes\.io\/.+|kubelet\.kubernetes\.io\/.+)$/

/** What a node may say of itself: as with kubelets (NodeRestriction), not what others are scheduled or trusted by. */
export function allowed(labels: Labels): Labels {
  const kept = Object.entries(labels).filter(([name]) => !ownDomains.test(name) || freeLabels.test(name))
  return Object.fromEntries(kept)
}

/** The Node with the labels of a report: those that people have set or changed since stay as they are. */
export function relabelled(node: KubeObject, report: NodeReport): KubeObject {
  const before = reportedLabels(node)
  const after = allowed(report.labels)
  const labels = { ...node.metadata.labels }
  for (const [name, value] of Object.entries(before))
    if (after[name] === undefined && labels[name] === value) delete labels[name]
  for (const [name, value] of Object.entries(after))
    if (labels[name] === undefined ? before[name] === undefined : labels[name] === before[name]) labels[name] = value
  if (labels[edgeLabel] === undefined && node.metadata.annotations?.[registeredAnnotation] === undefined)
    labels[edgeLabel] = ''
  const annotations = {
    ...node.metadata.annotations,
    [registeredAnnotation]: 'true',
    [reportedLabelsAnnotation]: JSON.stringify(after),
  }
  return { ...node, metadata: { ...node.metadata, labels, annotations } }
}

function reportedLabels({ metadata }: KubeObject): Labels {
  try {
    const labels: unknown = JSON.parse(metadata.annotations?.[reportedLabelsAnnotation] ?? '{}')
    return isJson(labels) ? (labels as Labels) : {}
  } catch {
    // Someone has edited it: then nothing counts as reported before.
    return {}
  }
}

/** `Node.status` with what the node says of itself and what cloudcore says of its link. */
export function nodeStatus(held: Json, reported: Json | undefined, conditions: Condition[], now: string): Json {
  const said = withoutNulls(reported ?? {})
  const merged = withConditions(conditionsIn(held), [...conditionsIn(said), ...conditions], now)
  return merged.length > 0 ? { ...held, ...said, conditions: merged } : { ...held, ...said }
}

/** Ready was taken from the node while it was out of reach; what it says itself is to count again. */
export function lostReady(node: KubeObject): boolean {
  return conditionOf(node.status, 'Ready')?.status === 'Unknown'
}

/** Stands in until a node that is back has said how it is: cloudcore may have been restarted since it last did. */
export const readyByLink: Condition = {
  type: 'Ready',
  status: 'True',
  reason: 'LinkUp',
  message: 'edgecore is connected again; it has not reported its own status since',
}
