import { join } from 'node:path'
import { findEndpoint } from '@kedge/edgecore/pods/cri/endpoint'
import { CriRuntime } from '@kedge/edgecore/pods/cri/engine'
import type { PodConfig, Runtime } from '@kedge/edgecore/pods/runtime'
import { EngineFault } from '@kedge/edgecore/pods/runtime'
import { systemScheduler } from '@kedge/edgecore/pods/scheduler'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'

const reason = withoutContainerd()

function open(endpoint: () => string, logs = tempDir()): CriRuntime {
  const runtime = new CriRuntime({
    ...{ endpoint, logRoot: join(logs, 'logs'), clock: systemClock, scheduler: systemScheduler, log: silentLog },
  })
  onTestFinished(() => runtime.close())
  return runtime
}

function pod(name: string, change: Partial<PodConfig> = {}): PodConfig {
  return {
    ...{ namespace: 'default', name, uid: `uid-${name}`, labels: {}, annotations: {}, containers: [], graceMs: 0 },
    ...{ hostNetwork: true },
    ...change,
  }
}

async function run(runtime: Runtime, image: string, config: PodConfig, command?: readonly string[]): Promise<string> {
  const imageId = (await runtime.image(image)) ?? ''
  const sandbox = await runtime.createSandbox(config, 0)
  const main = { name: 'main', kind: 'main', image, imageId, attempt: 0, backoffMs: 0 } as const
  const id = await runtime.createContainer(sandbox, config, { ...main, ...(command && { command }) })
  await runtime.startContainer(id)
  return id
}

test('without an engine each call says where it looked and what to do, and the health has the reason', async () => {
  const runtime = open(() => findEndpoint(undefined, () => false))
  const { runtime: verdict, network } = await runtime.health()
  expect(verdict).toMatchObject({ ok: false, reason: 'ContainerRuntimeNotFound' })
  expect(verdict).toEqual(network)
  await expect(runtime.list()).rejects.toThrow(
    /nothing listens at \/run\/containerd\/containerd.sock.*--runtime-endpoint/,
  )
  const given = open(() => '/nowhere/engine.sock')
  expect(await given.health()).toMatchObject({ runtime: { ok: false, reason: 'ContainerRuntimeUnreachable' } })
  await expect(given.version()).rejects.toThrow(/Version: connect ENOENT \/nowhere\/engine.sock$/)
})

describe.skipIf(reason !== undefined)(`a containerd that goes and comes (${reason ?? 'as root'})`, () => {
  test('what runs goes on when it is killed; what ended meanwhile is told once it is back', async () => {
    const containerd = await Containerd.start(onTestFinished)
    const runtime = open(() => containerd.socket)
    const told = new Set<string>()
    onTestFinished(runtime.watch(({ name }) => told.add(name)))
    await run(runtime, containerd.image, pod('stays'))
    const dies = await run(runtime, containerd.image, pod('dies'))
    const pid = containerd.pidOf(dies)
    const before = await runtime.list(pod('stays'))
    await containerd.kill()
    await expect(runtime.list()).rejects.toThrow(/ECONNREFUSED|connection was lost/)
    expect(await runtime.health()).toMatchObject({ runtime: { ok: false, reason: 'ContainerRuntimeUnreachable' } })
    told.clear()
    process.kill(pid, 'SIGKILL')
    await containerd.run()
    await eventually(() => told.has('dies'))
    const ended = async () => (await runtime.list(pod('dies')))[0]?.containers[0]?.state
    expect(await ended()).toMatchObject({ is: 'exited' })
    expect(await runtime.list(pod('stays'))).toEqual(before)
    expect(await runtime.health()).toMatchObject({ runtime: { ok: true } })
    // It hears of new events as it did of old ones.
    told.clear()
    process.kill(containerd.pidOf(before[0]?.containers[0]?.id ?? ''), 'SIGKILL')
    await eventually(() => told.has('stays'))
  })

  test('after a power cut everything is there and nothing runs', async () => {
    const containerd = await Containerd.start(onTestFinished)
    await run(
      open(() => containerd.socket),
      containerd.image,
      pod('web'),
    )
    await containerd.powerCut()
    await containerd.run()
    const runtime = open(() => containerd.socket)
    const seen = async () => {
      const [sandbox] = await runtime.list()
      return sandbox?.ready === false && sandbox.containers[0]?.state.is === 'exited' && sandbox
    }
    expect(await eventually(seen)).toMatchObject({ pod: { name: 'web' }, containers: [{ name: 'main' }] })
    const [sandbox] = await runtime.list()
    await runtime.createSandbox(pod('web'), 1)
    await runtime.removeSandbox(sandbox?.id ?? '')
    expect(await runtime.list()).toMatchObject([{ attempt: 1, ready: true }])
  })

  test('without a network of pods, those on that of the node run, and the others are told why not', async () => {
    const containerd = await Containerd.start(onTestFinished, { network: false })
    const runtime = open(() => containerd.socket)
    const { network } = await runtime.health()
    expect(network).toMatchObject({ ok: false, reason: 'NetworkPluginNotReady' })
    const refused = await runtime.createSandbox(pod('web', { hostNetwork: false }), 0).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(EngineFault)
    expect(refused).toMatchObject({ reason: 'NetworkNotReady', message: expect.stringContaining('/etc/cni/net.d') })
    await run(runtime, containerd.image, pod('host'))
    containerd.setUpNetwork()
    await eventually(async () => (await runtime.health()).network.ok)
    await runtime.createSandbox(pod('web', { hostNetwork: false }), 0)
  })
})
