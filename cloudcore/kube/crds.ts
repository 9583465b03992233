import { delay } from '@kedge/shared/backoff'
import type { Clock } from '@kedge/shared/clock'
import { devicesGroup, devicesVersion } from '@kedge/shared/devices'
import { explain, UserError } from '@kedge/shared/errors'
import { deviceCrds, deviceStatusCrd } from '@kedge/shared/kubeapi/device-crds'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { sleep } from '@kedge/shared/service'
import type { Kube } from './api.ts'
import { crdChange } from './crd-change.ts'
import { hasCode, isRefusal } from './errors.ts'
import { isJson } from './merge-patch.ts'
import { crdPath } from './paths.ts'

export interface EnsureCrdsOptions {
  kube: Pick<Kube, 'get' | 'create' | 'patch'>
  log: Log
  clock: Clock
  random: () => number
  /** Whether to create and update them; otherwise they must be there. */
  install: boolean
  /** KubeEdge's DeviceStatus as well. */
  deviceStatus?: boolean
  /** Milliseconds to wait until they are served. */
  patience?: number
  signal?: AbortSignal
}

/** Milliseconds between two tries. */
const backoff = { base: 200, cap: 5_000 }

const needed = ['devices', 'devices/status', 'devicemodels']
const advice =
  'apply them as a cluster administrator: kubectl apply -f deploy/crds/ (DeviceStatus: kubectl apply -k deploy/device-status)'

/**
 * Makes sure that Kubernetes serves Device and DeviceModel: applies their definitions where that is wanted and allowed,
 * then waits until they are served. Trouble that may pass is waited out; when nothing comes of it in time, a `UserError`
 * says what to apply.
 */
export async function ensureCrds(options: EnsureCrdsOptions): Promise<void> {
  const { clock, log, signal, random, patience = 60_000 } = options
  const end = clock.monotonic() + patience
  const wanted = options.deviceStatus ? [...deviceCrds(), deviceStatusCrd()] : deviceCrds()
  let pending = options.install ? wanted : []
  for (let attempt = 0; ; attempt++) {
    const look = await attemptOnce(options, pending)
    if (look.missing.length === 0) return
    if (signal?.aborted) throw new Error('stopped while waiting for the device CRDs')
    const left = end - clock.monotonic()
    if (left <= 0) throw new UserError(look.why)
    pending = look.pending
    const waitMs = Math.round(Math.min(left, 100 + delay(attempt, backoff, random())))
    // What was applied a moment ago is seldom served at once.
    log[attempt === 0 ? 'debug' : 'warn']({ why: look.why, waitMs }, 'device crds not served yet')
    await sleep(waitMs, signal)
  }
}

interface Look {
  /** Definitions that are still to be applied. */
  pending: KubeObject[]
  /** Resources that are not served. */
  missing: string[]
  why: string
}

async function attemptOnce({ kube, log, deviceStatus }: EnsureCrdsOptions, crds: KubeObject[]): Promise<Look> {
  try {
    for (const crd of crds) await applyOne(kube, crd, log)
    const missing = await notServed(kube, deviceStatus ? [...needed, 'devicestatuses'] : needed)
    return {
      pending: [],
      missing,
      why: `Kubernetes does not serve ${missing.join(', ')} of ${devicesGroup}/${devicesVersion}; ${advice}`,
    }
  } catch (error) {
    return { pending: crds, missing: needed, why: `Kubernetes cannot be asked for the device CRDs: ${explain(error)}` }
  }
}

/** Applies a definition. What is not allowed is told, and left to an administrator. */
async function applyOne(kube: EnsureCrdsOptions['kube'], crd: KubeObject, log: Log): Promise<void> {
  const { name } = crd.metadata
  try {
    const held = await found(kube, crdPath(name))
    if (held === undefined) {
      await kube.create(crdPath(), crd)
      log.info({ crd: name }, 'crd created')
      return
    }
    const change = crdChange(held, crd)
    if (change === undefined) return
    await kube.patch(crdPath(name), { metadata: { resourceVersion: held.metadata.resourceVersion }, ...change })
    log.info({ crd: name }, 'crd updated')
  } catch (error) {
    // 409: another cloudcore was faster. 404: an API that has these kinds built in knows no definitions.
    if (!isRefusal(error) && !hasCode(error, 409) && !hasCode(error, 404)) throw error
    log.warn({ crd: name, error: explain(error), advice }, 'crd not applied')
  }
}

async function found(kube: EnsureCrdsOptions['kube'], path: string): Promise<KubeObject | undefined> {
  try {
    return await kube.get(path)
  } catch (error) {
    if (hasCode(error, 404)) return undefined
    throw error
  }
}

/** By discovery, which everyone may read: a definition that is served is established. */
async function notServed(kube: EnsureCrdsOptions['kube'], names: readonly string[]): Promise<string[]> {
  const list = await found(kube, `/apis/${devicesGroup}/${devicesVersion}`)
  const served = Array.isArray(list?.resources) ? list.resources.filter(isJson).map(({ name }) => name) : []
  return names.filter((name) => !served.includes(name))
}
