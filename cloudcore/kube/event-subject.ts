import { type Key, type KubeObject, keyOf, kinds, parseKey } from '@kedge/shared/objects'
import type { EventReport } from '@kedge/shared/reports'
import { nodeOf } from './trim.ts'

type Regarding = EventReport['regarding']

/** What an event of a node is about, as far as it may say so. */
export type Subject =
  | { is: 'node'; regarding: Regarding }
  /** A pod or a device, which must be the node's. */
  | { is: 'object'; key: Key; uid: string | undefined }
  | { is: 'refused'; reason: string }

/** Reads what an event claims to be about. Pure. */
export function subjectClaimed(node: string, { regarding, by }: Pick<EventReport, 'regarding' | 'by'>): Subject {
  const { kind, namespace = '', name, uid } = regarding
  if (!isPart(by)) return { is: 'refused', reason: `by: "${by.slice(0, 64)}" is no part of edgecore` }
  if (kind === 'Node') {
    if (name !== node) return { is: 'refused', reason: `node ${name} is not the node that reports` }
    return { is: 'node', regarding: nodeItself(node) }
  }
  if (kind !== 'Pod' && kind !== 'Device')
    return { is: 'refused', reason: `a node reports events of its pods, devices and itself, not of a ${kind}` }
  const key = keyOf(kind === 'Pod' ? 'pods' : 'devices', namespace, name)
  if (parseKey(key) === undefined)
    return { is: 'refused', reason: `regarding: ${namespace}/${name} is not the name of a ${kind}` }
  return { is: 'object', key, uid }
}

/** As kubelet does: the Node's Events name it by its name, also where they ask for the uid. */
export function nodeItself(node: string): Regarding {
  return { apiVersion: 'v1', kind: 'Node', name: node, uid: node }
}

/** A pod or device as an event names it: nothing of that is left to the node. */
export function referenceTo(key: Key, uid: string | undefined): Regarding {
  const { resource = 'pods', namespace = '', name = '' } = parseKey(key) ?? {}
  return { ...kinds[resource], namespace, name, ...(uid === undefined ? {} : { uid }) }
}

/** A DNS label, and not the part that cloudcore itself speaks as. */
function isPart(by: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/.test(by) && by !== 'cloudcore'
}

const mostDeparted = 5000

/**
 * Whose the pods and devices were that are gone: what their node still has to say of their end belongs to them, what
 * others say of them does not.
 */
export class Departed {
  readonly #nodes = new Map<string, string>()

  remember(key: Key, object: KubeObject): void {
    const node = nodeOf(object)
    const { uid } = object.metadata
    if (node === undefined || uid === undefined) return
    this.#nodes.set(`${key}/${uid}`, node)
    for (const oldest of this.#nodes.keys()) {
      if (this.#nodes.size <= mostDeparted) break
      this.#nodes.delete(oldest)
    }
  }

  /** The node of an object that is gone, as far as it is known. */
  of(key: Key, uid: string | undefined): string | undefined {
    return this.#nodes.get(`${key}/${uid}`)
  }
}
