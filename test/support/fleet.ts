import { join } from 'node:path'
import { get as edgecoreGet } from '@kedge/edgecore/cli/get'
import type { KubeObject } from '@kedge/shared/objects'
import { onTestFinished } from 'vitest'
import { Api } from './api.ts'
import { BorrowedCluster, cluster } from './cluster.ts'
import { CutLink } from './cut-link.ts'
import { DeviceClient } from './device-client.ts'
import { eventually } from './eventually.ts'
import { keepInApi } from './kept-in-api.ts'
import type { Body } from './kube.ts'
import {
  type CloudMember,
  type EdgeMember,
  type EdgeOptions,
  type Form,
  kubeconfigOf,
  startCloud,
  startEdge,
} from './members.ts'
import type { LogLine } from './programs.ts'
import { tempDir, type WhenOver } from './temp-dir.ts'

export interface FleetOptions {
  nodes?: readonly string[]
  cloud?: Form
  edges?: Form
  /** Milliseconds between two writes of a device's status. */
  statusInterval?: number
  /** Where uploads go; nowhere unless given. */
  uploads?: string | undefined
  /** Whether gRPC mappers can register at the nodes. */
  mappers?: boolean
  /** Socket of a container engine that the nodes use; without it, the simulated one. */
  engine?: string | undefined
  /** Folder for the data of the nodes; without it, each has one of its own somewhere. */
  nodesIn?: string | undefined
  /** Stops it: in a `beforeAll` give `afterAll`. */
  whenOver?: WhenOver
  /** What the embedded API holds from the start, where writing it through the API would take long. */
  holding?: readonly KubeObject[]
}

type Options = Required<Omit<FleetOptions, Optional>> & Pick<FleetOptions, Optional>
type Optional = 'uploads' | 'engine' | 'nodesIn'

/** cloudcore with its embedded API, or that of `cluster`, and edge nodes behind networks that can be cut. */
export class Fleet {
  readonly #options: Options
  readonly #data: string
  readonly #nodes = new Map<string, FleetNode>()
  #cloud: CloudMember | undefined
  #api: Api | undefined
  #borrowed: BorrowedCluster | undefined
  /** Logs of the clouds that ran before. */
  readonly #earlier: LogLine[] = []

  private constructor(options: Options) {
    this.#options = options
    this.#data = tempDir(options.whenOver)
  }

  /** Starts it, and stops it when the test is over. */
  static async start({
    nodes = ['edge-1'],
    cloud = 'here',
    edges = 'here',
    statusInterval = 50,
    uploads,
    mappers = false,
    engine,
    nodesIn,
    whenOver = onTestFinished,
    holding = [],
  }: FleetOptions = {}): Promise<Fleet> {
    const common = { uploads, mappers, engine, nodesIn, whenOver }
    const fleet = new Fleet({ ...common, nodes, cloud, edges, statusInterval, holding })
    whenOver(() => fleet.stop())
    if (cluster !== undefined) fleet.#borrowed = await BorrowedCluster.open(cluster, nodes)
    const how = { ...common, form: edges, uploads: uploads !== undefined }
    for (const name of nodes) fleet.#nodes.set(name, await FleetNode.make(name, how))
    if (holding.length > 0) await keepInApi(fleet.#data, holding)
    await fleet.startCloud()
    for (const node of fleet.nodes) await node.start()
    return fleet
  }

  get nodes(): FleetNode[] {
    return [...this.#nodes.values()]
  }

  node(name: string): FleetNode {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`the fleet has no node ${name}`)
    return node
  }

  get api(): Api {
    if (this.#api === undefined) throw new Error('the cloud is stopped')
    return this.#api
  }

  get cloud(): CloudMember {
    if (this.#cloud === undefined) throw new Error('the cloud is stopped')
    return this.#cloud
  }

  get kubeconfig(): string {
    return cluster ?? kubeconfigOf(this.#data)
  }

  /** What cloudcore has logged, in all its runs. */
  get cloudLog(): LogLine[] {
    return [...this.#earlier, ...(this.#cloud?.lines ?? [])]
  }

  async startCloud(): Promise<void> {
    const { cloud, statusInterval, uploads } = this.#options
    const how = { form: cloud, data: this.#data, statusInterval, uploads, kubeconfig: cluster }
    this.#cloud = await startCloud(how)
    this.#api = new Api(this.kubeconfig, (key) => this.#borrowed?.made(key))
    for (const { link } of this.nodes) link.target = this.#cloud.linkPort
  }

  async stopCloud(how: 'stop' | 'kill' = 'stop'): Promise<void> {
    const cloud = this.#cloud
    if (cloud === undefined) return
    for (const { link } of this.nodes) link.target = undefined
    await this.#api?.close()
    this.#api = undefined
    this.#cloud = undefined
    await cloud[how]()
    this.#earlier.push(...cloud.lines)
  }

  /** A figure of cloudcore's metrics, with its labels as they stand there: `kedge_cloud_nodes{state="level"}`. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.cloud.metricsPort}/metrics`)
    const line = (await response.text()).split('\n').find((each) => each.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1))
  }

  /** Resolves once cloudcore says that this many nodes hold what they should. */
  async level(nodes = this.#nodes.size): Promise<void> {
    await eventually(async () => (await this.metric('kedge_cloud_nodes{state="level"}')) === nodes)
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.close()
    await this.stopCloud()
    await this.#borrowed?.giveBack()
  }
}

type EdgeForm = Pick<EdgeOptions, 'form' | 'uploads' | 'mappers' | 'engine'> &
  Pick<FleetOptions, 'whenOver' | 'nodesIn'>

/** One edge node of a fleet, with its store, its network and what runs it. */
export class FleetNode {
  readonly name: string
  readonly data: string
  readonly link: CutLink
  readonly #how: EdgeForm
  #edge: EdgeMember | undefined
  readonly #earlier: LogLine[] = []

  private constructor(name: string, how: EdgeForm, link: CutLink) {
    this.name = name
    this.#how = how
    this.data = how.nodesIn === undefined ? tempDir(how.whenOver) : join(how.nodesIn, name)
    this.link = link
  }

  static async make(name: string, how: EdgeForm): Promise<FleetNode> {
    return new FleetNode(name, how, await CutLink.open())
  }

  get edge(): EdgeMember {
    if (this.#edge === undefined) throw new Error(`${this.name} is stopped`)
    return this.#edge
  }

  get running(): boolean {
    return this.#edge !== undefined
  }

  /** What its edgecore has logged, in all its runs. */
  get log(): LogLine[] {
    return [...this.#earlier, ...(this.#edge?.lines ?? [])]
  }

  async start(): Promise<void> {
    this.#edge = await startEdge({ ...this.#how, nodeName: this.name, data: this.data, cloud: this.link.url })
  }

  async stop(how: 'stop' | 'kill' = 'stop'): Promise<void> {
    const edge = this.#edge
    if (edge === undefined) return
    this.#edge = undefined
    await edge[how]()
    this.#earlier.push(...edge.lines)
  }

  async close(): Promise<void> {
    await this.stop()
    await this.link.stop()
  }

  /** A device on its local broker. */
  device(): Promise<DeviceClient> {
    return DeviceClient.connect(this.edge.mqttPort)
  }

  /** `edgecore get KIND -A -o json` on this node. */
  async get(kind: string, ...flags: string[]): Promise<Body[]> {
    const argv = [kind, '-A', '-o', 'json', '--data', this.data, ...flags]
    return JSON.parse((await edgecoreGet(argv, { env: {}, now: Date.now() })).out).items
  }

  /** The keys of what it holds, in order. */
  async keys(): Promise<string[]> {
    const keys: string[] = []
    for (const kind of ['pods', 'configmaps', 'secrets', 'devices']) {
      for (const { metadata } of await this.get(kind)) keys.push(`${kind}/${metadata.namespace}/${metadata.name}`)
    }
    return keys.sort()
  }

  /** Its twins as `<namespace>/<device>/<property>`. */
  async twins(): Promise<Record<string, { reported?: string; desired?: string }>> {
    const rows = await this.get('twins')
    return Object.fromEntries(
      rows.map(({ namespace, device, property, reported, desired }) => [
        `${namespace}/${device}/${property}`,
        { reported: reported?.value, desired: desired?.value },
      ]),
    )
  }
}
