import { methods } from '@kedge/edgecore/pods/cri/api'
import { codes, GrpcError, type Method, type StreamEvents } from '@kedge/edgecore/pods/cri/grpc'
import { Watcher } from '@kedge/edgecore/pods/cri/watcher'
import type { PodName, Sandbox } from '@kedge/edgecore/pods/runtime'
import { silentLog } from '@kedge/shared/log'
import { expect, onTestFinished, test } from 'vitest'
import { HandClock } from '../../../../support/hand-clock.ts'

type Events = StreamEvents<Record<string, unknown>>

/** A watcher over an engine that is played by hand. */
function rig(engine: string) {
  const clock = new HandClock()
  const play = {
    up: true,
    sandboxes: [] as Sandbox[],
    running: new Set<string>(),
    looks: 0,
    streams: [] as { path: string; on: Events; ended: boolean }[],
    told: [] as string[],
  }
  const away = () => new GrpcError(codes.unavailable, 'connect ENOENT')
  const client = {
    async call<I, O>(method: Method<I, O>): Promise<O> {
      if (!play.up) throw away()
      if (method.path !== methods.version.path) throw new Error(`${method.path} is not played`)
      return { version: '0.1.0', runtime_name: engine, runtime_version: '1.2.3' } as O
    },
    stream<I, O>(method: Method<I, O>, _: I, on: StreamEvents<O>): () => void {
      const stream = { path: method.path, on: on as Events, ended: false }
      play.streams.push(stream)
      return () => {
        stream.ended = true
      }
    },
  }
  const view = {
    async list() {
      if (!play.up) throw away()
      play.looks += 1
      return play.sandboxes
    },
    owner: (id: string): PodName | undefined =>
      play.sandboxes.find((one) => one.id === id || one.containers.some((each) => each.id === id))?.pod,
    expire() {},
    runs: async (id: string) => play.running.has(id),
  }
  const watcher = new Watcher({ client, view, scheduler: clock, log: silentLog, up() {} })
  const start = () => {
    const end = watcher.start(({ name }) => play.told.push(name))
    onTestFinished(end)
    return end
  }
  /** Lets the time pass, a little at a time, and everything that it sets off. */
  const pass = async (ms: number) => {
    for (let left = ms; ; ) {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
      if (left <= 0) return
      left -= clock.tick(Math.min(left, 50))
    }
  }
  return { play, watcher, start, pass }
}

function sandbox(name: string, is: 'running' | 'exited' = 'running'): Sandbox {
  const state = is === 'running' ? ({ is, startedAt: 0 } as const) : ({ is: 'created' } as const)
  const container = {
    id: `c-${name}`,
    name: 'main',
    kind: 'main',
    image: 'a',
    imageId: 'b',
    attempt: 0,
    backoffMs: 0,
  } as const
  return {
    ...{
      id: `s-${name}`,
      pod: { namespace: 'default', name, uid: 'u' },
      attempt: 0,
      graceMs: 0,
      ready: true,
      createdAt: 0,
    },
    containers: [{ ...container, createdAt: 0, state }],
  }
}

function exit(container_id: string, id = container_id) {
  return { topic: '/tasks/exit', event: { type_url: '', value: { container_id, id } } }
}

test('containerd: an exit is told once its lists know of it, that of a command in a container not at all', async () => {
  const { play, start, pass } = rig('containerd')
  play.sandboxes = [sandbox('web'), sandbox('other')]
  play.running = new Set(['c-web', 'c-other'])
  start()
  await pass(0)
  expect(play.streams.map(({ path }) => path)).toEqual([methods.subscribe.path])
  play.told.length = 0
  play.streams[0]?.on.message(exit('c-other', 'exec-1'))
  play.streams[0]?.on.message(exit('c-stranger'))
  play.streams[0]?.on.message(exit('c-web'))
  await pass(50)
  expect(play.told).toEqual([])
  play.running.delete('c-web')
  await pass(100)
  expect(play.told).toEqual(['web'])
})

test('with events, everything is looked at now and then, and only what changed is told', async () => {
  const { play, start, pass } = rig('containerd')
  play.sandboxes = [sandbox('web'), sandbox('other'), sandbox('gone')]
  start()
  await pass(1500)
  const looks = play.looks
  play.told.length = 0
  await pass(20_000)
  expect(play.looks).toBe(looks)
  play.sandboxes = [sandbox('web', 'exited'), sandbox('other')]
  await pass(15_000)
  expect(play.looks).toBe(looks + 1)
  expect(play.told.sort()).toEqual(['gone', 'web'])
})

test.each([
  ['it does not know of them', new GrpcError(codes.unimplemented, 'method GetContainerEvents not implemented')],
  ['it was not told to tell of them', undefined],
])('CRI-O: its events are followed; when %s it is looked at each second', async (_, end) => {
  const { play, start, pass } = rig('cri-o')
  start()
  await pass(0)
  const [stream] = play.streams
  expect(stream?.path).toBe(methods.events.path)
  const labels = { 'io.kubernetes.pod.namespace': 'default', 'io.kubernetes.pod.name': 'web' }
  stream?.on.message({ container_id: 'c', sandbox: { id: 's', labels } })
  expect(play.told).toEqual(['web'])
  stream?.on.end(end)
  const looks = play.looks
  await pass(10_000)
  expect(play.looks).toBeGreaterThanOrEqual(looks + 9)
  expect(play.streams).toHaveLength(1)
})

test('an engine that was away is looked at once it is back, and followed anew', async () => {
  const { play, start, pass, watcher } = rig('containerd')
  play.up = false
  start()
  await pass(3000)
  expect(watcher.engine).toBeUndefined()
  play.up = true
  play.sandboxes = [sandbox('web')]
  await pass(5000)
  expect(watcher.engine).toEqual({ name: 'containerd', version: '1.2.3' })
  expect(play.told).toContain('web')
  play.up = false
  play.streams.at(-1)?.on.end(new GrpcError(codes.unavailable, 'the connection was lost'))
  await pass(30_000)
  play.told.length = 0
  play.sandboxes = []
  play.up = true
  await pass(5000)
  expect(play.told).toEqual(['web'])
  expect(play.streams).toHaveLength(2)
})

test('after the end nothing is told, looked at or followed', async () => {
  const { play, start, pass } = rig('containerd')
  const end = start()
  await pass(0)
  end()
  const looks = play.looks
  play.sandboxes = [sandbox('web')]
  await pass(120_000)
  expect(play).toMatchObject({ looks, told: [] })
  expect(play.streams[0]?.ended).toBe(true)
})
