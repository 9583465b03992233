import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { asObject } from '@kedge/shared/kubeapi/schema'
import type { Log } from '@kedge/shared/log'
import { type KubeObject, keyOf } from '@kedge/shared/objects'
import { podRefsInDetail } from '@kedge/shared/pod-refs'
import type { Service } from '@kedge/shared/service'
import { idsOf } from '../pods/image-gc.ts'
import type { ImageInfo, Runtime } from '../pods/runtime.ts'
import { type Scheduler, systemScheduler } from '../pods/scheduler.ts'
import type { NodeCondition, NodeConditions } from '../reports/node-conditions.ts'
import type { Objects } from '../store/objects.ts'
import type { PodStatuses } from '../store/pods.ts'
import { type OfflineFacts, offlineReady, type PodNeeds } from './offline-ready.ts'
import { imagesOf } from './pod-images.ts'

/** What is known elsewhere in edgecore, asked at each look. */
export interface Circumstances {
  storageFault?: string
  diskFull: boolean
  clockFault?: string
  /** Milliseconds since the epoch. */
  certificateEndsAt?: number
}

export interface OfflineWatchOptions {
  objects: Pick<Objects, 'get' | 'list'>
  statuses: Pick<PodStatuses, 'get'>
  runtime: Pick<Runtime, 'images' | 'health'>
  circumstances: () => Circumstances
  /** For how long this node should do without the cloud, milliseconds. */
  autonomyMs: number
  conditions: NodeConditions
  clock: Clock
  log: Log
  scheduler?: Scheduler
}

export interface OfflineWatch extends Service {
  /** Something that matters may have changed: it is looked at soon. */
  changed(): void
  /** As told last; undefined before the first look. */
  readonly condition: NodeCondition | undefined
  /** How it stands now. */
  facts(): Promise<OfflineFacts>
}

/** Changes come in crowds; what lacks may come soon; else nothing is missed that nobody told of. */
const soonMs = 1000
const lackingMs = 5000
const calmMs = 60_000

/** Keeps the node's condition `OfflineReady` true to what this node holds. */
export function startOfflineWatch(options: OfflineWatchOptions): OfflineWatch {
  const { conditions, log, scheduler = systemScheduler } = options
  let condition: NodeCondition | undefined
  let cancel = () => {}
  let looking: Promise<void> | undefined
  let again = false
  let stopped = false

  async function look(): Promise<void> {
    const found = offlineReady(await factsOf(options))
    const isNew = found.status !== condition?.status || found.message !== condition.message
    condition = found
    if (isNew) conditions.changed()
  }

  function lookAfter(ms: number): void {
    cancel()
    if (stopped) return
    cancel = scheduler.after(ms, () => {
      again = false
      looking = look()
        .catch((error: unknown) => log.debug({ reason: explain(error) }, 'offline readiness not looked at'))
        .finally(() => {
          looking = undefined
          lookAfter(again ? soonMs : condition?.status === 'True' ? calmMs : lackingMs)
        })
    })
  }

  conditions.add(() => condition)
  lookAfter(soonMs)
  return {
    changed() {
      if (looking !== undefined) again = true
      else lookAfter(soonMs)
    },
    get condition() {
      return condition
    },
    facts: () => factsOf(options),
    async stop() {
      stopped = true
      cancel()
      await looking
    },
  }
}

async function factsOf({ objects, statuses, runtime, circumstances, autonomyMs, clock }: OfflineWatchOptions) {
  const health = await runtime.health()
  // An engine that is away says nothing about its images: then that is what is wrong.
  const images = health.runtime.ok ? await runtime.images().catch(() => undefined) : undefined
  const pods = objects.list('pods').flatMap(({ content, refused }): PodNeeds[] => {
    const { namespace = 'default', name } = content.metadata
    const phase = statuses.get(`${namespace}/${name}`)?.status.phase
    const over = phase === 'Succeeded' || phase === 'Failed' || content.metadata.deletionTimestamp !== undefined
    return over || refused !== null ? [] : [needsOf(content, images, objects)]
  })
  const facts: OfflineFacts = { pods, ...circumstances(), autonomyMs, now: clock.now() }
  if (!health.runtime.ok) return { ...facts, runtimeFault: health.runtime.message }
  return health.network.ok ? facts : { ...facts, networkFault: health.network.message }
}

function needsOf(
  content: KubeObject,
  images: readonly ImageInfo[] | undefined,
  objects: Pick<Objects, 'get'>,
): PodNeeds {
  const { namespace = 'default', name } = content.metadata
  const pod = `${namespace}/${name}`
  return {
    pod,
    network: content.spec?.hostNetwork !== true,
    images: images === undefined ? [] : imagesOf(content).filter((image) => idsOf([image], images).size === 0),
    missing: podRefsInDetail(content).flatMap((ref) => {
      if (ref.optional) return []
      const kind = ref.resource === 'secrets' ? 'Secret' : 'ConfigMap'
      const held = objects.get(keyOf(ref.resource, namespace, ref.name))?.content
      if (held === undefined) return [{ kind, name: `${namespace}/${ref.name}` }] as const
      const { key } = ref
      const has = key === undefined || [held.data, held.binaryData].some((data) => Object.hasOwn(asObject(data), key))
      return has ? [] : ([{ kind, name: `${namespace}/${ref.name} (key ${key})` }] as const)
    }),
  }
}
