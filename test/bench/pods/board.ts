import { join } from 'node:path'
import { must } from '@kedge/shared/must'
import type { KubeObject } from '@kedge/shared/objects'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { type Edge, System } from '../support/system.ts'

type Look = (pod: Body | undefined) => boolean
type Body = KubeObject & { status?: PodStatus }

interface PodStatus {
  phase?: string
  conditions?: { type: string; status: string }[]
  containerStatuses?: { containerID?: string; restartCount: number; ready: boolean }[]
}

const collection = '/api/v1/namespaces/default/pods'

/** A node with a real containerd, and all that the API tells of its pods. */
export class Board {
  readonly system: System
  readonly edge: Edge
  readonly containerd: Containerd
  readonly #pods = new Map<string, Body>()
  readonly #waiting = new Set<{ name: string; look: Look; done: (at: number) => void }>()

  private constructor(system: System, edge: Edge, containerd: Containerd) {
    this.system = system
    this.edge = edge
    this.containerd = containerd
  }

  /** Starts one, hands it to `use`, and takes all of it off the machine. Throws where there can be no containerd. */
  static async run(use: (board: Board) => Promise<void>): Promise<void> {
    const reason = withoutContainerd()
    if (reason !== undefined) throw new Error(`no bench of pods without a containerd: ${reason}`)
    const overs: (() => void | Promise<void>)[] = []
    try {
      const containerd = await Containerd.start((over) => overs.push(over))
      const engine = { runtime: 'cri', 'runtime-endpoint': containerd.socket, 'pod-logs': join(containerd.dir, 'logs') }
      await System.run(async (system) => {
        const board = new Board(system, await system.edge('edge-1', system.linkPort, engine), containerd)
        await board.edge.up()
        const unwatch = await system.kube.watch('/api/v1/pods', ({ type, object }) => board.#heard(type, object))
        await use(board).finally(unwatch)
      })
    } finally {
      for (const over of overs.reverse()) await over()
    }
  }

  /** Creates pods and resolves with the milliseconds from the first request until all of them run and are ready. */
  async create(names: readonly string[], how: PodKind): Promise<number> {
    const sent = performance.now()
    const [, ...ready] = await Promise.all([
      this.system.kube.create(names.map((name) => this.#pod(name, how))),
      ...names.map((name) => this.when(name, isReady)),
    ])
    return Math.max(...ready) - sent
  }

  /** Deletes a pod and resolves with the milliseconds until it is gone. */
  async remove(name: string): Promise<number> {
    const sent = performance.now()
    const gone = this.when(name, (pod) => pod === undefined)
    await this.system.kube.remove(`${collection}/${name}`)
    return (await gone) - sent
  }

  /** The monotonic time at which the pod, as the API tells, is as `look` wants it. */
  when(name: string, look: Look): Promise<number> {
    if (look(this.#pods.get(name))) return Promise.resolve(performance.now())
    return new Promise((done) => this.#waiting.add({ name, look, done }))
  }

  /** The id of the pod's container. */
  containerOf(name: string): string {
    const [status] = this.#pods.get(name)?.status?.containerStatuses ?? []
    return must(status?.containerID, `a container of ${name}`).replace('containerd://', '')
  }

  #heard(type: string, object: KubeObject): void {
    const { name } = object.metadata
    if (type === 'DELETED') this.#pods.delete(name)
    else this.#pods.set(name, object as Body)
    const now = performance.now()
    for (const one of this.#waiting) {
      if (one.name !== name || !one.look(this.#pods.get(name))) continue
      this.#waiting.delete(one)
      one.done(now)
    }
  }

  #pod(name: string, { hostNetwork = false, deaf = false }: PodKind): KubeObject {
    // The image ends when it is asked to; this one has to be killed when its second is over.
    const command = deaf ? { command: ['/bin/sleep', '1000000'] } : {}
    const containers = [{ name: 'web', image: this.containerd.image, ...command }]
    const spec = { nodeName: 'edge-1', hostNetwork, terminationGracePeriodSeconds: 1, containers }
    return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec }
  }
}

export interface PodKind {
  hostNetwork?: boolean
  /** Hears no signal. */
  deaf?: boolean
}

/** Running, and ready. */
export function isReady(pod: Body | undefined): boolean {
  const { phase, conditions = [] } = pod?.status ?? {}
  return phase === 'Running' && conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

export function restartsOf(pod: Body | undefined): number {
  return pod?.status?.containerStatuses?.[0]?.restartCount ?? 0
}
