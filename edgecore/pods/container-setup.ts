import type { KubeObject } from '@kedge/shared/objects'
import type { VolumeMount } from './container-schema.ts'
import { environment, type Skipped } from './env.ts'
import { expand, unknownNames } from './expansion.ts'
import type { Addresses, Capacity } from './field-refs.ts'
import type { Lookup } from './lookup.ts'
import { resourcesOf } from './resources.ts'
import type { ContainerConfig, ImageInfo } from './runtime.ts'
import { containerSecurity, rootFault } from './security.ts'
import type { WantedContainer, WantedSpec } from './spec.ts'

export interface SetupInput {
  pod: KubeObject
  spec: WantedSpec
  container: WantedContainer
  lookup: Lookup
  addresses: Addresses
  capacity: Capacity
  /** Who the image wants to run as, where that matters. */
  imageUser: ImageInfo['user']
}

/** Everything about a container but its name, its image, and where on the node its volumes are. */
export interface Setup {
  config: Pick<
    ContainerConfig,
    'command' | 'args' | 'workingDir' | 'env' | 'resources' | 'security' | 'stdin' | 'stdinOnce' | 'tty'
  >
  /** With `subPathExpr` spelled out. */
  mounts: (Pick<VolumeMount, 'name' | 'mountPath' | 'readOnly' | 'mountPropagation'> & { subPath: string })[]
  skipped: Skipped[]
}

/** How a container is to be made, or why it cannot be, in kubelet's words. */
export function setUp(input: SetupInput): { ok: true; setup: Setup } | { ok: false; fault: string } {
  const { pod, spec, container, capacity } = input
  const of = container.of
  const made = environment({ ...input, container: of, containers: spec.containers.map((one) => one.of) })
  if (!made.ok) return made
  const { env, skipped } = made
  const resolve = (name: string) => env.get(name)
  const { namespace = 'default', name, uid = '' } = pod.metadata
  const where = `pod: "${name}_${namespace}(${uid})", container: ${container.name}`
  const root = rootFault(of, spec.of.securityContext, { imageUser: input.imageUser, where })
  if (root !== undefined) return { ok: false, fault: root }
  const mounts: Setup['mounts'] = []
  for (const { name: volume, mountPath, readOnly, mountPropagation, subPath, subPathExpr } of of.volumeMounts) {
    const [unknown] = unknownNames(subPathExpr, resolve)
    if (unknown !== undefined)
      return { ok: false, fault: `volumeMounts ${volume}: subPathExpr: there is no ${unknown}` }
    const path = subPathExpr === '' ? subPath : expand(subPathExpr, resolve)
    if (path.startsWith('/') || path.split('/').includes('..')) {
      return { ok: false, fault: `volumeMounts ${volume}: subPath "${path}" leaves the volume` }
    }
    mounts.push({ name: volume, mountPath, readOnly, mountPropagation, subPath: path })
  }
  const { priority } = spec.of
  const config: Setup['config'] = {
    ...(of.command.length > 0 && { command: of.command.map((one) => expand(one, resolve)) }),
    ...(of.args.length > 0 && { args: of.args.map((one) => expand(one, resolve)) }),
    ...(of.workingDir !== '' && { workingDir: of.workingDir }),
    env: [...env].map(([key, value]) => ({ name: key, value })),
    resources: resourcesOf({
      ...{ container: of, qosClass: spec.qosClass, priority },
      memoryBytes: capacity.memoryBytes,
    }),
    security: containerSecurity(of, spec.of.securityContext),
    ...(of.stdin && { stdin: true }),
    ...(of.stdinOnce && { stdinOnce: true }),
    ...(of.tty && { tty: true }),
  }
  return { ok: true, setup: { config, mounts, skipped } }
}

/** The Event about entries that cannot be variables, in kubelet's words. */
export function skippedMessage({ kind, name, keys }: Skipped, namespace: string): string {
  return `Keys [${keys.join(', ')}] from the EnvFrom ${kind} ${namespace}/${name} were skipped since they are considered invalid environment variable names.`
}
