import { existsSync } from 'node:fs'
import { EngineFault } from '../runtime.ts'

/** Where container engines listen, unless they are told otherwise. */
const usual = [
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/k3s/containerd/containerd.sock',
  '/var/snap/microk8s/common/run/containerd.sock',
] as const

/**
 * The path of the engine's socket: the given one, else the first of the usual places where there is one now. It is asked
 * for with each connection: after a power cut edgecore may be up before the engine is.
 */
export function findEndpoint(given: string | undefined, exists: (path: string) => boolean = existsSync): string {
  if (given !== undefined) return given
  const found = usual.find(exists)
  if (found !== undefined) return found
  throw new EngineFault(
    'ContainerRuntimeNotFound',
    `there is no container engine: nothing listens at ${usual.join(', ')}; install containerd 1.6 or newer or CRI-O, name its socket with --runtime-endpoint, or use --runtime simulated`,
  )
}
