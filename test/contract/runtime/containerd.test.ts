import { methods } from '@kedge/edgecore/pods/cri/api'
import { CriClient } from '@kedge/edgecore/pods/cri/client'
import { CriRuntime } from '@kedge/edgecore/pods/cri/engine'
import { systemScheduler } from '@kedge/edgecore/pods/scheduler'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { beforeAll, describe } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { eventually } from '../../support/eventually.ts'
import { ociImage } from '../../support/oci-image.ts'
import { Registry } from '../../support/registry.ts'
import { type Bench, runtimeContract } from './contract.ts'

const reason = withoutContainerd()

describe.skipIf(reason !== undefined)(`over a real containerd (${reason ?? 'as root'})`, () => {
  const whenOver = afterThese()
  let containerd: Containerd
  let registry: Registry

  beforeAll(async () => {
    containerd = await Containerd.start(whenOver)
    registry = await Registry.start(whenOver)
  })

  runtimeContract('containerd', async (): Promise<Bench> => {
    const image = registry.add('web:1', ociImage('web:1'))
    const open = () =>
      new CriRuntime({
        ...{ endpoint: () => containerd.socket, logRoot: `${containerd.dir}/logs` },
        ...{ clock: systemClock, scheduler: systemScheduler, log: silentLog },
      })
    const runtimes = [open()]
    const pod = (name: string) => ({
      ...{ namespace: 'default', name, uid: `uid-${name}`, labels: {}, annotations: {}, graceMs: 30_000 },
      containers: [{ name: 'main', kind: 'main' as const, image }],
      hostNetwork: true,
    })
    const [runtime = open()] = runtimes
    return {
      runtime,
      image,
      missing: { image: `${registry.host}/nowhere:1`, pod: pod('web') },
      pod,
      container: (ends) => (ends ? { command: ['/bin/sh', '-c', `exit ${ends.exitCode}`] } : {}),
      until: (look) => eventually<unknown>(look) as ReturnType<typeof look> as never,
      async reopen() {
        const next = open()
        runtimes.push(next)
        return next
      },
      async close() {
        for (const one of runtimes) one.close()
        // The next test pulls it again.
        await removeImage(containerd, image)
      },
    }
  })
})

async function removeImage(containerd: Containerd, image: string): Promise<void> {
  const runtime = new CriClient(() => containerd.socket)
  await runtime.call(methods.removeImage, { image: { image } })
  runtime.close()
}
