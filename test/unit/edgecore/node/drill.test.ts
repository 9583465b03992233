import { type DrillEvent, drill, drillsOf } from '@kedge/edgecore/node/drill'
import { PodControl } from '@kedge/edgecore/node/pod-control'
import { PodStatuses } from '@kedge/edgecore/store/pods'
import type { KubeObject } from '@kedge/shared/objects'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { gather } from '../../../support/gather.ts'
import { PodNode, pod, simulate } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let node: PodNode
let control: PodControl
let linked: string[]

beforeEach(async () => {
  node = new PodNode(tempDir())
  await node.start()
  onTestFinished(async () => {
    await node.crash()
    node.close()
  })
  linked = []
  control = new PodControl(node.parts)
})

const name = (one: string) => ({ namespace: 'default', name: one })
const always = (one: string, more = {}): KubeObject =>
  pod(one, { spec: { containers: [{ name: 'web', image: 'nginx', imagePullPolicy: 'Always' }], ...more } })

async function drilled(
  over: { dryRun?: boolean; timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<DrillEvent[]> {
  const { objects, runtime, pods, store } = node.parts
  const link = { pause: async () => void linked.push('down'), resume: () => void linked.push('up') }
  const facts = async () => ({ pods: [], diskFull: false, autonomyMs: 0, now: 0 })
  const parts = { objects, runtime, pods, control, link, facts, statuses: new PodStatuses(store.db) }
  const signal = new AbortController().signal
  return gather(
    drill({ ...parts, monotonic: () => performance.now() }, { dryRun: false, timeoutMs: 20_000, signal, ...over }),
  )
}

const of = (events: DrillEvent[]) => events.map(({ is }) => is)
const sandboxes = async () => (await node.parts.runtime.list()).map(({ id }) => id)

test('every pod comes back in a new sandbox, with the link down and no registry asked', async () => {
  await node.put(always('a'), always('b'))
  const before = await sandboxes()
  const asked = node.reasons().filter((reason) => reason === 'Pulling').length
  let pulls = 0
  node.parts.runtime.pull = async () => {
    pulls += 1
    throw new Error('there is no registry')
  }
  const events = await drilled()
  expect(of(events)).toEqual(['plan', 'alone', 'down', 'back', 'back', 'done'])
  expect(events.at(-1)).toMatchObject({ ok: true })
  expect(linked).toEqual(['down', 'up'])
  expect([asked > 0, pulls]).toEqual([true, 0])
  const running = (await node.parts.runtime.list()).filter(({ ready }) => ready)
  expect(running).toHaveLength(2)
  expect(running.some(({ id }) => before.includes(id))).toBe(false)
})

test('a dry run touches nothing', async () => {
  await node.put(pod('a'))
  const before = await sandboxes()
  const events = await drilled({ dryRun: true })
  expect(of(events)).toEqual(['plan', 'done'])
  expect([await sandboxes(), linked]).toEqual([before, []])
})

test('what is not well before is left alone, and told why', async () => {
  await node.put(
    always('well'),
    pod('ill', { annotations: simulate({ containers: { web: { exitAfter: '1s', exitCode: 1 } } }) }),
  )
  await node.pass(2000)
  await node.pass(2000)
  const [plan] = await drilled({ dryRun: true })
  expect(plan).toMatchObject({
    pods: [
      {
        pod: 'default/ill',
        skipped: expect.stringContaining('it is not ready before: container web: CrashLoopBackOff'),
      },
      { pod: 'default/well' },
    ],
  })
})

test('there is one drill at a time', async () => {
  const parts = { ...node.parts, control, statuses: new PodStatuses(node.parts.store.db), monotonic: () => 0 }
  const drills = drillsOf(() => ({
    ...parts,
    facts: async () => ({ pods: [], diskFull: false, autonomyMs: 0, now: 0 }),
  }))
  const wish = { dryRun: true, timeoutMs: 1000, signal: new AbortController().signal }
  const first = drills(wish)
  expect((await first.next()).value).toMatchObject({ is: 'plan' })
  expect(await gather(drills(wish))).toMatchObject([
    { is: 'failed', why: expect.stringContaining('another drill') },
    { is: 'done', ok: false },
  ])
  await gather(first)
  expect(of(await gather(drills(wish)))).toEqual(['plan', 'done'])
})

test('what would not be started again is left to run, and told', async () => {
  await node.put(always('job', { restartPolicy: 'Never' }), always('later', { containers: [] }))
  const before = await sandboxes()
  const [plan] = await drilled()
  expect(plan).toMatchObject({
    pods: [
      { pod: 'default/job', skipped: 'restartPolicy Never: it would not be started again' },
      { pod: 'default/later', skipped: 'it does not run (Pending)' },
    ],
  })
  expect(await sandboxes()).toEqual(before)
})

test('a pod whose image is gone does not come back, with its reason; afterwards it may be pulled again', async () => {
  await node.put(pod('a'))
  const { runtime } = node.parts
  const image = runtime.image.bind(runtime)
  runtime.image = async () => undefined
  const events = await drilled({ timeoutMs: 1000 })
  expect(events.find(({ is }) => is === 'missing')).toMatchObject({
    pod: 'default/a',
    why: expect.stringContaining('no registry is asked during a drill'),
  })
  expect(events.at(-1)).toMatchObject({ ok: false })
  runtime.image = image
  await node.pass(20_000)
  expect(node.status('default/a')?.phase).toBe('Running')
})

test('a drill that is broken off leaves nothing down', async () => {
  await node.put(pod('a'))
  await drilled({ signal: AbortSignal.abort() })
  await node.settle()
  await node.pass(1000)
  expect(linked).toEqual(['down', 'up'])
  expect((await node.parts.runtime.list()).some(({ ready }) => ready)).toBe(true)
})

test('a pod is restarted in a new sandbox, its attempts counted on', async () => {
  await node.put(pod('a'))
  const [before] = await sandboxes()
  expect(await control.restart(name('a'), undefined)).toEqual({ is: 'found', found: { restarted: ['web'] } })
  await node.settle()
  const ready = (await node.parts.runtime.list()).filter((one) => one.ready)
  expect(ready).toHaveLength(1)
  expect(ready[0]?.id).not.toBe(before)
  expect(node.container('default/a', 'web')).toMatchObject({ ready: true, restartCount: 1 })
})

test('two who restart a pod at once both see it restarted', async () => {
  await node.put(pod('a'))
  const both = await Promise.all([control.restart(name('a'), undefined), control.restart(name('a'), undefined)])
  expect(both.map(({ is }) => is)).toEqual(['found', 'found'])
  await node.settle()
  expect(node.container('default/a', 'web')).toMatchObject({ ready: true, restartCount: 1 })
})

test('whoever waits for a pod that does not come down waits no longer than edgecore runs', async () => {
  await node.put(pod('a'))
  node.parts.runtime.list = async () => {
    throw new Error('the engine is away')
  }
  const waiting = control.down(name('a'))
  await control.stop()
  await waiting
})

test('one container is restarted where it is', async () => {
  await node.put(pod('a', { spec: { terminationGracePeriodSeconds: 0 } }))
  const before = await sandboxes()
  expect(await control.restart(name('a'), 'web')).toMatchObject({ is: 'found' })
  await node.pass(2000)
  expect(await sandboxes()).toEqual(before)
  expect(node.container('default/a', 'web')).toMatchObject({ ready: true, restartCount: 1 })
})

test.each([
  ['a pod that is not there', 'nobody', undefined, 404, 'there is no pod default/nobody on this node'],
  ['a container that is not there', 'a', 'db', 404, 'pod default/a has no container "db"; it has web'],
  ['a pod that would stay down', 'job', undefined, 409, 'pod job has restartPolicy Never'],
  ['a container that does not run', 'ended', undefined, 409, 'container web of pod default/ended does not run'],
])('what cannot be restarted says why: %s', async (_what, one, container, code, reason) => {
  const ended = pod('ended', { annotations: simulate({ containers: { web: { exitAfter: '1s', exitCode: 1 } } }) })
  await node.put(pod('a'), always('job', { restartPolicy: 'Never' }), ended)
  await node.pass(2000)
  await node.pass(2000)
  expect(await control.restart(name(one), container)).toMatchObject({
    is: 'none',
    code,
    reason: expect.stringContaining(reason),
  })
})

test('a simulated container answers a command as simulated, and has no log', async () => {
  await node.put(pod('a'))
  const signal = new AbortController().signal
  expect(await control.exec(name('a'), { command: ['true'] })).toMatchObject({ is: 'found', found: { exitCode: 0 } })
  expect(await control.logs(name('a'), {}, signal)).toMatchObject({
    is: 'none',
    reason: 'the simulated engine keeps no logs',
  })
  await expect(control.stream(name('a'), { command: ['sh'], stdin: true, tty: true })).rejects.toThrow('simulated')
})
