import { objectPath } from '@kedge/cloudcore/kube/paths'
import { eventually } from './eventually.ts'
import { type Body, connect, type Kube } from './kube.ts'

/** The cluster that fleets are pointed at with KEDGE_TEST_KUBECONFIG; undefined: each has an embedded API of its own. */
export const cluster = process.env.KEDGE_TEST_KUBECONFIG || undefined

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const events = '/api/v1/namespaces/default/events'
const nodePath = (node: string) => `/api/v1/nodes/${node}`
const leasePath = (node: string) => `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}`

/**
 * A cluster for the time of one test. The names of a fleet are the same in every test, so only one may have the cluster
 * at a time, and nothing of that name may be there before.
 */
export class BorrowedCluster {
  readonly #kube: Kube
  readonly #nodes: readonly string[]
  readonly #definitions: ReadonlySet<string>
  /** Keys of what the test made. */
  readonly #made = new Set<string>()

  private constructor(kube: Kube, nodes: readonly string[], definitions: ReadonlySet<string>) {
    this.#kube = kube
    this.#nodes = nodes
    this.#definitions = definitions
  }

  static async open(kubeconfig: string, nodes: readonly string[]): Promise<BorrowedCluster> {
    const kube = connect(kubeconfig, { embedded: false, stop: async () => {} })
    for (const node of nodes) {
      const { code } = await kube.get(nodePath(node))
      if (code !== 404) throw new Error(`the cluster must have no node ${node} (${code}): delete it, or use another`)
    }
    return new BorrowedCluster(kube, nodes, await definitionsIn(kube))
  }

  made(key: string): void {
    this.#made.add(key)
  }

  /** Leaves the cluster as it was. */
  async giveBack(): Promise<void> {
    for (const key of this.#made) await this.#remove(objectPath(key))
    for (const node of this.#nodes) {
      await this.#remove(nodePath(node))
      await this.#remove(leasePath(node))
    }
    for (const { metadata, source } of (await this.#kube.get(events)).body.items as Body[])
      if (this.#nodes.includes(source?.host)) await this.#remove(`${events}/${metadata.name}`)
    for (const name of await this.#newDefinitions()) await this.#remove(`${crds}/${name}`)
    // A definition goes after everything that it defines.
    await eventually(async () => (await this.#newDefinitions()).length === 0)
    await this.#kube.close()
  }

  async #newDefinitions(): Promise<string[]> {
    return [...(await definitionsIn(this.#kube))].filter((name) => !this.#definitions.has(name))
  }

  async #remove(path: string): Promise<void> {
    await this.#kube.call({ method: 'DELETE', path, body: { gracePeriodSeconds: 0 } })
  }
}

/** Names of Kedge's definitions that are there. */
async function definitionsIn(kube: Kube): Promise<Set<string>> {
  const { body } = await kube.get(crds)
  const ours = body.items.filter((each: Body) => each.spec.group === 'devices.kubeedge.io')
  return new Set(ours.map((each: Body) => each.metadata.name))
}
