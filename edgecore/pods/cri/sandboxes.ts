import { mkdir } from 'node:fs/promises'
import type { PodConfig } from '../runtime.ts'
import { EngineFault } from '../runtime.ts'
import { methods } from './api.ts'
import type { CgroupParent } from './cgroups.ts'
import { type CriClient, once, unlessGone, workMs } from './client.ts'
import { logFolder } from './names.ts'
import { sandboxConfig } from './sandbox-config.ts'
import type { Turns } from './turns.ts'
import type { View } from './view.ts'

export interface SandboxesOptions {
  client: CriClient
  view: View
  turns: Turns
  cgroups: CgroupParent
  logRoot: string
}

/** The sandboxes of the engine: what the containers of a pod share. */
export class CriSandboxes {
  readonly #options: SandboxesOptions
  readonly #client: CriClient

  constructor(options: SandboxesOptions) {
    this.#options = options
    this.#client = options.client
  }

  async create(pod: PodConfig, attempt: number): Promise<string> {
    const { logRoot, turns, view, cgroups } = this.#options
    if (!pod.hostNetwork) await this.#requireNetwork()
    await mkdir(logFolder(logRoot, pod), { recursive: true, mode: 0o755 })
    const config = sandboxConfig(pod, attempt, { logRoot, cgroupParent: await cgroups.name() })
    const run = async () => (await this.#client.call(methods.runSandbox, { config }, workMs)).pod_sandbox_id
    const existing = async () => {
      const sandboxes = await view.list(pod)
      return sandboxes.find((one) => one.pod.uid === pod.uid && one.attempt === attempt)?.id
    }
    const id = await once(() => turns.take(0, run), existing)
    view.own(id, pod)
    return id
  }

  async #requireNetwork(): Promise<void> {
    const { status } = await this.#client.call(methods.status, {})
    const network = status?.conditions.find(({ type }) => type === 'NetworkReady')
    if (network === undefined || network.status) return
    const said = `NetworkReady=false reason:${network.reason} message:${network.message}`
    const advice = 'set up CNI in /etc/cni/net.d, or give the pod hostNetwork: true'
    const message = `network is not ready: container runtime network not ready: ${said}; ${advice}`
    throw new EngineFault('NetworkNotReady', message)
  }

  async stop(id: string): Promise<void> {
    await this.#client.call(methods.stopSandbox, { pod_sandbox_id: id }, workMs).catch(unlessGone)
  }

  async remove(id: string): Promise<void> {
    await this.stop(id)
    await this.#client.call(methods.removeSandbox, { pod_sandbox_id: id }, workMs).catch(unlessGone)
  }
}
