import * as z from 'zod'
import { cgroupDriver, methods } from './api.ts'
import type { CriClient } from './client.ts'
import { codes, GrpcError } from './grpc.ts'
import { fromJson } from './listing.ts'

/**
 * The cgroup that all containers are below. They are its direct children, so that the processor is shared among them by
 * the weight of each, whichever pod it is in. The engine takes it from each sandbox and each container by itself, in the
 * words of its cgroup driver alone.
 */
export class CgroupParent {
  readonly #client: Pick<CriClient, 'call'>
  #known: { is: string | undefined } | undefined

  constructor(client: Pick<CriClient, 'call'>) {
    this.#client = client
  }

  /** Undefined leaves the choice to the engine: it would refuse the words of the other driver. */
  async name(): Promise<string | undefined> {
    this.#known ??= { is: await parentOf(this.#client) }
    return this.#known.is
  }

  /** The engine is there anew, perhaps with another configuration. */
  forget(): void {
    this.#known = undefined
  }
}

async function parentOf(client: Pick<CriClient, 'call'>): Promise<string | undefined> {
  const driver = await driverOf(client)
  return driver === undefined ? undefined : driver === 'systemd' ? 'kedge.slice' : '/kedge'
}

async function driverOf(client: Pick<CriClient, 'call'>): Promise<'systemd' | 'cgroupfs' | undefined> {
  try {
    const { linux } = await client.call(methods.runtimeConfig, {})
    return linux?.cgroup_driver === cgroupDriver.cgroupfs ? 'cgroupfs' : 'systemd'
  } catch (error) {
    if (!(error instanceof GrpcError) || error.code !== codes.unimplemented) throw error
  }
  const { info } = await client.call(methods.status, { verbose: true })
  const config = ContainerdConfig.safeParse(fromJson(info.config))
  if (!config.success) return undefined
  const { defaultRuntimeName, runtimes } = config.data.containerd
  return runtimes[defaultRuntimeName]?.options?.SystemdCgroup === true ? 'systemd' : 'cgroupfs'
}

/** What containerd tells of its configuration before it knew `RuntimeConfig`. */
const ContainerdConfig = z.object({
  containerd: z.object({
    defaultRuntimeName: z.string(),
    runtimes: z.record(
      z.string(),
      z.object({ options: z.looseObject({ SystemdCgroup: z.boolean().optional() }).nullish() }),
    ),
  }),
})
