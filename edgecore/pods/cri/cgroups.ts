import * as z from 'zod'
import { cgroupDriver, methods } from './api.ts'
import type { CriClient } from './client.ts'
import { codes, GrpcError } from './grpc.ts'
import { fromJson } from './listing.ts'

/**
 * The cgroup that all containers are below. They are its direct children, so that the processor is shared among them by
 * the weight of each, whichever pod it is in. Undefined leaves the choice to the engine: it would refuse the words of the
 * other driver.
 */
export async function cgroupParent(client: CriClient): Promise<string | undefined> {
  const driver = await driverOf(client)
  return driver === undefined ? undefined : driver === 'systemd' ? 'kedge.slice' : '/kedge'
}

async function driverOf(client: CriClient): Promise<'systemd' | 'cgroupfs' | undefined> {
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
