import type { Container, ContainerConfig, PodConfig, Runtime, Sandbox } from '@kedge/edgecore/pods/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** What the suite needs of an engine and of the machine that it runs on. */
export interface Bench {
  runtime: Runtime
  /** An image that is not on the node yet and can be pulled; its containers run until they are asked to end. */
  image: string
  /** An image whose pull fails, and the pod that asks for it. */
  missing: { image: string; pod: PodConfig }
  /** A pod of this name on the node's network; `ends` makes its `main` end by itself soon after its start, with that code. */
  pod(name: string, ends?: Ends): PodConfig
  /** What its container `main` needs for that. */
  container(ends?: Ends): Partial<ContainerConfig>
  /** Lets the time pass that it takes until `look` gives something. */
  until<T>(look: () => Promise<T | undefined>): Promise<T>
  /** The engine as a new edgecore finds it. */
  reopen(): Promise<Runtime>
  close(): Promise<void>
}

export interface Ends {
  exitCode: number
}

/** What every container engine must do: the words of `Runtime`, as tests. */
export function runtimeContract(name: string, open: () => Promise<Bench>): void {
  describe(`the engine ${name}`, () => {
    let bench: Bench
    let runtime: Runtime

    beforeEach(async () => {
      bench = await open()
      runtime = bench.runtime
    })
    afterEach(async () => {
      for (const { id } of await bench.runtime.list()) await bench.runtime.removeSandbox(id)
      await bench.close()
    })

    function config(imageId: string, change: Partial<ContainerConfig> = {}): ContainerConfig {
      return { name: 'main', kind: 'main', image: bench.image, imageId, attempt: 0, backoffMs: 0, ...change }
    }

    async function sandboxOf(pod: PodConfig): Promise<Sandbox> {
      const [sandbox] = await runtime.list(pod)
      if (sandbox === undefined) throw new Error('there is no sandbox')
      return sandbox
    }

    async function containerOf(pod: PodConfig): Promise<Container> {
      const [container] = (await sandboxOf(pod)).containers
      if (container === undefined) throw new Error('there is no container')
      return container
    }

    async function running(pod: PodConfig, ends?: Ends): Promise<{ sandbox: string; container: string }> {
      const imageId = await runtime.pull(bench.image, pod)
      const sandbox = await runtime.createSandbox(pod, 0)
      const container = await runtime.createContainer(sandbox, pod, config(imageId, bench.container(ends)))
      await runtime.startContainer(container)
      return { sandbox, container }
    }

    const exited = async (pod: PodConfig) => {
      const { state } = await containerOf(pod)
      return state.is === 'exited' ? state : undefined
    }

    test('says its name and version', async () => {
      expect(runtime.name).toMatch(/^[a-z][a-z0-9-]*$/)
      expect(await runtime.version()).toMatch(/^\d+\.\d+/)
    })

    test('says how it is doing', async () => {
      expect(await runtime.health()).toEqual({ runtime: { ok: true }, network: { ok: true } })
    })

    test('lists its images, and has one no more once it was removed', async () => {
      const id = await runtime.pull(bench.image, bench.pod('web'))
      expect((await runtime.images()).find((one) => one.id === id)?.names).toContain(bench.image)
      expect(await runtime.imageInfo(bench.image)).toMatchObject({ id, pinned: false })
      await runtime.removeImage(id)
      await runtime.removeImage(id)
      expect(await runtime.image(bench.image)).toBeUndefined()
      expect(await runtime.imageInfo(bench.image)).toBeUndefined()
    })

    test('runs commands in a container that runs, and in no other', async () => {
      const pod = bench.pod('web')
      const { container } = await running(pod)
      expect(await runtime.exec(container, ['/bin/true'], 10_000)).toMatchObject({ exitCode: 0 })
      expect((await runtime.stats()).map(({ id }) => id)).toEqual([container])
      await runtime.stopContainer(container, 0)
      await bench.until(() => exited(pod))
      await expect(runtime.exec(container, ['/bin/true'], 10_000)).rejects.toThrow(/./)
      await expect(runtime.exec('nowhere', ['/bin/true'], 10_000)).rejects.toThrow(/./)
      expect(await runtime.stats()).toEqual([])
    })

    test('has an image after it was pulled, under one id', async () => {
      expect(await runtime.image(bench.image)).toBeUndefined()
      const id = await runtime.pull(bench.image, bench.pod('web'))
      expect(await runtime.image(bench.image)).toBe(id)
      expect(await runtime.pull(bench.image, bench.pod('web'))).toBe(id)
    })

    test('says why an image cannot be had', async () => {
      const { image, pod } = bench.missing
      await expect(runtime.pull(image, pod)).rejects.toThrow(/./)
      expect(await runtime.image(image)).toBeUndefined()
    })

    test('shows what was made with all that was said of it', async () => {
      const pod = { ...bench.pod('web'), notes: { preStop: 'yes' } }
      const imageId = await runtime.pull(bench.image, pod)
      const id = await runtime.createSandbox(pod, 3)
      const notes = { probe: '{"path":"/"}' }
      const made = config(imageId, { attempt: 2, backoffMs: 20_000, kind: 'sidecar', hash: 'abc', notes })
      const container = await runtime.createContainer(id, pod, made)
      const sandbox = await sandboxOf(pod)
      const { namespace, name, uid } = pod
      expect(sandbox).toMatchObject({
        id,
        pod: { namespace, name, uid },
        attempt: 3,
        ready: true,
        graceMs: pod.graceMs,
        notes: { preStop: 'yes' },
      })
      expect(sandbox.containers).toMatchObject([{ ...made, id: container, state: { is: 'created' } }])
    })

    test('lists pods by name, whatever their uid, or all', async () => {
      const first = bench.pod('web')
      const second = { ...bench.pod('web'), uid: `${first.uid}-2` }
      const other = bench.pod('other')
      for (const pod of [first, second, other]) await runtime.createSandbox(pod, 0)
      expect((await runtime.list(first)).map(({ pod }) => pod.uid).sort()).toEqual([first.uid, second.uid].sort())
      expect(await runtime.list()).toHaveLength(3)
    })

    test('making the same twice makes it once', async () => {
      const pod = bench.pod('web')
      const imageId = await runtime.pull(bench.image, pod)
      const sandbox = await runtime.createSandbox(pod, 0)
      expect(await runtime.createSandbox(pod, 0)).toBe(sandbox)
      const container = await runtime.createContainer(sandbox, pod, config(imageId))
      expect(await runtime.createContainer(sandbox, pod, config(imageId))).toBe(container)
      expect((await sandboxOf(pod)).containers).toHaveLength(1)
    })

    test('a container needs its sandbox', async () => {
      const pod = bench.pod('web')
      const imageId = await runtime.pull(bench.image, pod)
      await expect(runtime.createContainer('nowhere', pod, config(imageId))).rejects.toThrow(/./)
    })

    test('starts a container once', async () => {
      const pod = bench.pod('web')
      const { container } = await running(pod)
      const before = await containerOf(pod)
      expect(before.state).toMatchObject({ is: 'running' })
      await runtime.startContainer(container)
      expect(await containerOf(pod)).toEqual(before)
    })

    test('a container that ends by itself has its exit code, its times, and does not start again', async () => {
      const ends = { exitCode: 3 }
      const pod = bench.pod('web', ends)
      const { container } = await running(pod, ends)
      const end = await bench.until(() => exited(pod))
      expect(end).toMatchObject({ exitCode: 3, reason: 'Error' })
      expect(end.finishedAt).toBeGreaterThanOrEqual(end.startedAt)
      await runtime.startContainer(container).catch(() => {})
      expect(await exited(pod)).toEqual(end)
    })

    test('tells when a container has ended by itself', async () => {
      const ends = { exitCode: 0 }
      const pod = bench.pod('web', ends)
      const told: string[] = []
      const end = runtime.watch(({ name }) => told.push(name))
      await running(pod, ends)
      // An engine may tell of more than there is to know.
      await bench.until(async () => (told.includes('web') ? exited(pod) : undefined))
      expect(await exited(pod)).toMatchObject({ exitCode: 0, reason: 'Completed' })
      end()
    })

    test('stops a container, also twice, and one that is gone', async () => {
      const pod = bench.pod('web')
      const { container } = await running(pod)
      // A program that has just begun may not heed the signal yet: then it ends when its time is over.
      await runtime.stopContainer(container, 5000)
      await bench.until(() => exited(pod))
      await runtime.stopContainer(container, 30_000)
      await runtime.removeContainer(container)
      await runtime.stopContainer(container, 30_000)
      await runtime.removeContainer(container)
      expect((await sandboxOf(pod)).containers).toEqual([])
    })

    test('can kill a container at once, also one that was asked to end in its time', async () => {
      const pod = bench.pod('web')
      const { container } = await running(pod)
      await runtime.stopContainer(container, 600_000)
      await runtime.stopContainer(container, 0)
      await bench.until(() => exited(pod))
    })

    test('a stopped sandbox is not ready, and nothing runs in it', async () => {
      const pod = bench.pod('web')
      const { sandbox } = await running(pod)
      await runtime.stopSandbox(sandbox)
      await runtime.stopSandbox(sandbox)
      expect(await sandboxOf(pod)).toMatchObject({ ready: false, containers: [{ state: { is: 'exited' } }] })
    })

    test('a removed sandbox takes its containers along, running or not', async () => {
      const pod = bench.pod('web')
      const { sandbox } = await running(pod)
      await runtime.removeSandbox(sandbox)
      await runtime.removeSandbox(sandbox)
      await runtime.stopSandbox(sandbox)
      expect(await runtime.list()).toEqual([])
    })

    test('what runs goes on, with the same ids, when edgecore goes and comes', async () => {
      const pod = bench.pod('web')
      await running(pod)
      const before = await runtime.list()
      runtime = await bench.reopen()
      expect(await runtime.list()).toEqual(before)
      expect(await containerOf(pod)).toMatchObject({ state: { is: 'running' } })
    })
  })
}
