import { must } from '@kedge/shared/must'
import type { PodEvent } from './events.ts'
import type { Images } from './images.ts'
import type { Mounts } from './mounts.ts'
import type { Look } from './observe.ts'
import type { Doers } from './plan.ts'
import type { PodConfig, Runtime } from './runtime.ts'

export interface Tools {
  runtime: Runtime
  images: Images
  mounts: Mounts
  /** Takes note of an event, to be written down with the next status. */
  tell: (event: PodEvent) => void
  /** What was seen when the steps were planned. */
  look: () => Look | undefined
  wake: () => void
}

/** Who does which step. */
export function doersOf({ runtime, images, mounts, tell, look, wake }: Tools): Doers {
  const pulled = new Set<string>()
  const addition = runtime.notice ? ` (${runtime.name})` : ''
  const normal = (reason: string, message: string) => tell({ type: 'Normal', reason, message: message + addition })
  const seen = () => must(look(), 'a look at the pod')
  const config = (): PodConfig => must(seen().situation.wanted?.spec, 'the pod spec').config

  const started = async (id: string, name: string) => {
    await runtime.startContainer(id)
    normal('Started', `Started container ${name}`)
  }

  return {
    async mount() {
      await mounts.write(config().uid, seen().files.volumes)
    },
    async unmount({ uid }) {
      await mounts.remove(uid)
    },
    async createSandbox({ attempt }) {
      await runtime.createSandbox(config(), attempt)
    },
    async stopSandbox({ id }) {
      await runtime.stopSandbox(id)
    },
    async removeSandbox({ id }) {
      await runtime.removeSandbox(id)
    },
    async pull({ image }) {
      normal('Pulling', `Pulling image "${image}"`)
      pulled.add(image)
      images.begin(image, config(), wake)
    },
    async run({ sandbox, container, attempt, backoffMs, imageId }) {
      const { name, kind, image } = container
      const state = seen().situation.images.get(image)
      if (state?.is === 'failed') {
        const message = `Failed to pull image "${image}", the copy on this node is used: ${state.message}`
        tell({ type: 'Warning', reason: 'Failed', message })
      }
      const fetched = pulled.delete(image) && state?.is === 'present'
      normal(
        'Pulled',
        fetched ? `Successfully pulled image "${image}"` : `Container image "${image}" already present on machine`,
      )
      const id = await runtime.createContainer(sandbox, config(), { name, kind, image, imageId, attempt, backoffMs })
      normal('Created', `Created container: ${name}`)
      await started(id, name)
    },
    async start({ id, container }) {
      await started(id, container)
    },
    async stop({ id, graceMs, why }) {
      const owner = seen().situation.seen.find((sandbox) => sandbox.containers.some((container) => container.id === id))
      tell({ type: 'Normal', reason: 'Killing', message: why + addition, ...(owner && { uid: owner.pod.uid }) })
      await runtime.stopContainer(id, graceMs)
    },
    async remove({ id }) {
      await runtime.removeContainer(id)
    },
  }
}
