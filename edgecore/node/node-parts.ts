import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { PodRoutes } from '../control/pod-routes.ts'
import type { Amounts } from '../pods/claim.ts'
import { type Pods, startPods } from '../pods/pods.ts'
import type { Runtime } from '../pods/runtime.ts'
import { newEventId } from '../reports/event-id.ts'
import type { NodeCondition, NodeConditions } from '../reports/node-conditions.ts'
import { internalIP, readNodeFacts } from '../reports/node-facts.ts'
import { nodeLabels } from '../reports/node-report.ts'
import { roomOf } from '../reports/node-room.ts'
import type { Objects } from '../store/objects.ts'
import type { Outbox } from '../store/outbox.ts'
import { PodStatuses } from '../store/pods.ts'
import type { Store } from '../store/store.ts'
import { type DrillParts, drillsOf } from './drill.ts'
import { type ImageCare, startImageCare } from './image-care.ts'
import { startLogRotation } from './log-rotation.ts'
import { type Circumstances, startOfflineWatch } from './offline-watch.ts'
import { PodControl } from './pod-control.ts'
import { imagesOf } from './pod-images.ts'
import { StaticPods } from './static-pods.ts'
import { WantedObjects } from './wanted-objects.ts'

export interface NodePartsOptions {
  store: Store
  objects: Objects
  outbox: Outbox
  conditions: NodeConditions
  clock: Clock
  log: Log
  nodeName: string
  runtime: Runtime
  settings: {
    data: string
    /** Folder of static pods. */
    staticPods?: string | undefined
    /** What is set aside for the system. */
    systemReserved?: Amounts | undefined
    /** For how long this node should do without the cloud, milliseconds. */
    autonomy?: number | undefined
    /** Folder of the logs of all pods, where the engine writes them. */
    podLogs?: string
  }
  /** Whether what this node holds was verified with the cloud at least once. */
  verified: () => boolean
  /** The rest of what decides whether this node would come back. */
  circumstances: () => Circumstances
  /** The link to the cloud, once there is one. */
  link: () => DrillParts['link']
  /** Takes over a service to be stopped, in the reverse of the order of starting. */
  add: <T extends Service>(service: T) => T
}

export interface NodeParts {
  pods: Pods
  images: ImageCare
  /** The condition `OfflineReady`, once it is known. */
  readonly offlineReady: NodeCondition | undefined
  /** What commands on the node can ask of its pods. */
  routes: PodRoutes
  /** Objects changed, and the change is committed. */
  wake(keys: readonly Key[]): void
}

const day = 86_400_000

/** Starts what runs the pods of this node, the cloud's and its own, and what looks after their images and logs. */
export async function startNodeParts(options: NodePartsOptions): Promise<NodeParts> {
  const { store, conditions, clock, log, nodeName, runtime, settings, add, verified } = options
  const own = settings.staticPods === undefined ? undefined : add(await openStatic(options, settings.staticPods))
  const objects = new WantedObjects(options.objects, own)
  const common = { ...options, objects }
  const labels = nodeLabels({ nodeName, platform: process.platform, arch: process.arch })
  const room = roomOf(await readNodeFacts(settings.data), settings.systemReserved, labels)
  const pods = add(
    startPods({
      ...common,
      dataDir: settings.data,
      hostIP: internalIP(),
      verified,
      room: () => room,
      isLocal: (pod) => own?.owns(pod) ?? false,
      forgotten: (pod) => own?.forgotten(pod),
    }),
  )
  const statuses = new PodStatuses(store.db)
  const { autonomy: autonomyMs = day } = settings
  const offline = add(startOfflineWatch({ ...common, statuses, autonomyMs }))
  const wanted = () => objects.list('pods').flatMap(({ content }) => imagesOf(content))
  const images = add(startImageCare({ runtime, wanted, clock, log }))
  if (runtime.name !== 'simulated') {
    add(startLogRotation({ runtime, clock, log, folder: settings.podLogs ?? '/var/log/pods' }))
  }
  const control = add(new PodControl({ objects, runtime, pods }))
  const wake = (keys: readonly Key[]) => {
    pods.wake(keys)
    offline.changed()
  }
  if (own) {
    conditions.add(() => own.condition())
    own.onChange(wake)
  }
  const monotonic = () => clock.monotonic()
  const facts = () => offline.facts()
  const parts = () => ({ objects, statuses, runtime, pods, control, facts, link: options.link(), monotonic })
  return {
    pods,
    images,
    get offlineReady() {
      return offline.condition
    },
    routes: { control, drill: drillsOf(parts) },
    wake,
  }
}

/** A file that cannot be followed is an Event of the node, besides its condition. */
function openStatic({ store, outbox, clock, log, nodeName }: NodePartsOptions, folder: string): Promise<StaticPods> {
  const onFault = (file: string, reason: string) => {
    const at = clock.now()
    const regarding = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName }
    const message = `${file}: ${reason}`.slice(0, 1024)
    const event = { regarding, type: 'Warning', reason: 'FailedStaticPod', message, at, by: 'pods' } as const
    store
      .commit(() => outbox.add({ is: 'event', id: newEventId(at), ...event }))
      .catch((error: unknown) => log.debug({ reason: explain(error) }, 'event not kept'))
  }
  return StaticPods.start({ folder, nodeName, store, log, onFault })
}
