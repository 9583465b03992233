import type { KubeObject } from '../objects.ts'
import { notSupported, required } from './causes.ts'
import { asArray, asObject, isObject } from './schema.ts'
import type { Admission, AdmitRequest } from './validate.ts'

/** The pod with what a Binding says of it: the node, and the annotations and labels that the scheduler gave. */
export function bind({ object, old, now }: AdmitRequest): Admission {
  const pod: KubeObject = old ?? { metadata: { name: '' } }
  const nothing = { object: pod, causes: [], unknown: [], warnings: [] }
  if (!isObject(object) || !isObject(object.target)) {
    return {
      ...nothing,
      causes: [required('target', 'a Binding names its node, {"target": {"kind": "Node", "name": …}}')],
    }
  }
  const { kind = 'Node', name } = object.target
  if (kind !== 'Node' && kind !== '')
    return { ...nothing, causes: [notSupported('target.kind', kind, ['Node', '<empty>'])] }
  if (typeof name !== 'string' || name === '') return { ...nothing, causes: [required('target.name')] }
  if (pod.metadata.deletionTimestamp !== undefined) {
    return { ...nothing, conflict: `pod ${pod.metadata.name} is being deleted, cannot be assigned to a host` }
  }
  const bound = pod.spec?.nodeName
  if (typeof bound === 'string' && bound !== '') {
    return { ...nothing, conflict: `pod ${pod.metadata.name} is already assigned to node ${JSON.stringify(bound)}` }
  }
  return { ...nothing, object: assigned(pod, name, asObject(asObject(object.metadata).annotations), now) }
}

function assigned(
  pod: KubeObject,
  node: string,
  annotations: Record<string, unknown>,
  now: string | undefined,
): KubeObject {
  const others = asArray(pod.status?.conditions).filter((one) => asObject(one).type !== 'PodScheduled')
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now ?? null }
  const metadata = { ...pod.metadata }
  if (Object.keys(annotations).length > 0) {
    metadata.annotations = { ...metadata.annotations, ...(annotations as Record<string, string>) }
  }
  return {
    ...pod,
    metadata,
    spec: { ...pod.spec, nodeName: node },
    status: { ...pod.status, conditions: [...others, scheduled] },
  }
}
