import { PodControl } from '@kedge/edgecore/node/pod-control'
import type { ExecResult, PodConfig, Runtime } from '@kedge/edgecore/pods/runtime'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { PodNode, type PodOptions, pod, secret, simulate } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

/**
 * Probes and hooks from end to end, over the simulated engine as if it were a real one: what its commands find out is in
 * `answers`, by the first word; those that are in `hanging` do not end.
 */

const second = 1000
const ended = (exitCode: number): ExecResult => ({ exitCode, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) })

let node: PodNode
let answers: Record<string, number>
let hanging: Set<string>
let executed: string[]

beforeEach(async () => {
  answers = {}
  hanging = new Set()
  executed = []
  node = new PodNode(tempDir())
  node.wrap = (runtime) => asReal(runtime)
  await node.start()
  onTestFinished(async () => {
    if (node.started) await node.crash()
    node.close()
  })
})

function asReal(runtime: Runtime): Runtime {
  return new Proxy(runtime, {
    get(target, name) {
      if (name === 'notice') return undefined
      if (name === 'exec') return execute
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function execute(_id: string, [word = '']: readonly string[]): Promise<ExecResult> {
  executed.push(word)
  if (hanging.has(word)) return new Promise(() => {})
  return ended(answers[word] ?? 0)
}

const command = (word: string) => ({ exec: { command: [word] } })
const always = { name: 'web', image: 'nginx:1.27' }

function one(container: Record<string, unknown>, more: PodOptions = {}, spec: Record<string, unknown> = {}) {
  return pod('web', { ...more, spec: { containers: [{ ...always, ...container }], ...spec } })
}

function web() {
  return node.container('default/web', 'web')
}

function ready(): string | undefined {
  return node.status('default/web')?.conditions.find(({ type }) => type === 'Ready')?.status
}

describe('probes', () => {
  test('a container is ready when its probe says so, and its pod with it', async () => {
    answers.ready = 1
    await node.put(one({ readinessProbe: { ...command('ready'), periodSeconds: 5 } }))
    await node.pass(12 * second)
    expect([web()?.ready, web()?.started, ready()]).toEqual([false, true, 'False'])
    answers.ready = 0
    await node.pass(5 * second)
    expect([web()?.ready, ready()]).toEqual([true, 'True'])
    answers.ready = 1
    await node.pass(10 * second)
    expect(web()?.ready).toBe(true)
    await node.pass(5 * second)
    expect([web()?.ready, web()?.restartCount]).toEqual([false, 0])
    expect(node.reasons().filter((reason) => reason === 'Unhealthy')).toHaveLength(2)
  })

  test('a failure that changes nothing yet is told all the same, at once', async () => {
    await node.put(one({ livenessProbe: { ...command('alive'), periodSeconds: 5, failureThreshold: 9 } }))
    await node.pass(12 * second)
    answers.alive = 1
    await node.pass(6 * second)
    expect(node.reasons().filter((reason) => reason === 'Unhealthy')).toHaveLength(1)
  })

  test('a container that does not live is restarted, each time later, in its own grace', async () => {
    answers.alive = 1
    const livenessProbe = {
      ...command('alive'),
      periodSeconds: 1,
      failureThreshold: 2,
      terminationGracePeriodSeconds: 4,
    }
    await node.put(one({ livenessProbe }, { annotations: simulate({ containers: { web: { stopAfter: '1h' } } }) }))
    await node.pass(4 * second)
    expect(web()?.restartCount).toBe(0)
    await node.pass(2 * second)
    expect(web()).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 137 } } })
    expect(node.events().map(({ message }) => message)).toContain(
      'Container web failed liveness probe, will be restarted',
    )
    await node.pass(6 * second)
    expect(web()?.state).toMatchObject({ waiting: { reason: 'CrashLoopBackOff' } })
    answers.alive = 0
    await node.pass(60 * second)
    expect(web()).toMatchObject({ ready: true, restartCount: 2 })
  })

  test('it comes back even where only failures are restarted and it ended well', async () => {
    answers.alive = 1
    const livenessProbe = { ...command('alive'), periodSeconds: 1, failureThreshold: 1 }
    await node.put(one({ livenessProbe }, {}, { restartPolicy: 'OnFailure' }))
    await node.pass(3 * second)
    expect(node.status('default/web')?.phase).toBe('Running')
    expect(web()?.restartCount).toBeGreaterThan(0)
  })

  test('a pod that is never restarted has failed', async () => {
    answers.alive = 1
    const livenessProbe = { ...command('alive'), periodSeconds: 1, failureThreshold: 1 }
    const annotations = simulate({ containers: { web: { stopAfter: '1h' } } })
    await node.put(
      one({ livenessProbe }, { annotations }, { restartPolicy: 'Never', terminationGracePeriodSeconds: 2 }),
    )
    await node.pass(5 * second)
    expect(node.status('default/web')).toMatchObject({ phase: 'Failed' })
  })

  test('an edgecore that comes back goes on with what was known', async () => {
    answers.start = 0
    await node.put(one({ startupProbe: command('start'), readinessProbe: { ...command('ready'), periodSeconds: 5 } }))
    await node.pass(10 * second)
    expect(web()).toMatchObject({ started: true, ready: true })
    const reports = node.reports().length
    await node.crash()
    hanging.add('ready')
    await node.start()
    await node.pass(20 * second)
    expect(web()).toMatchObject({ started: true, ready: true, restartCount: 0 })
    expect(node.reports().length).toBe(reports)
  })
})

describe('sidecars', () => {
  const spec = {
    initContainers: [
      {
        name: 'first',
        image: 'i:1',
        restartPolicy: 'Always',
        startupProbe: { ...command('first'), periodSeconds: 1, failureThreshold: 99 },
      },
      { name: 'second', image: 'i:1', restartPolicy: 'Always' },
    ],
  }

  test('those behind one begin when it has started', async () => {
    answers.first = 1
    await node.put(one({}, {}, spec))
    await node.pass(5 * second)
    expect(node.container('default/web', 'second')?.state).toMatchObject({ waiting: { reason: 'PodInitializing' } })
    answers.first = 0
    await node.pass(2 * second)
    expect(web()?.ready).toBe(true)
  })

  test('end after the others, the last one first, in the grace that all share', async () => {
    const slow = { stopAfter: '1h' }
    const annotations = simulate({ containers: { web: { stopAfter: '4s' }, first: slow, second: slow } })
    await node.put(one({}, { annotations }, spec))
    await node.pass(3 * second)
    await node.put(one({}, { annotations, deletion: { graceSeconds: 10 } }, spec))
    const stopped = () =>
      node.events().flatMap(({ reason, message }) => (reason === 'Killing' ? [message.split(' ').at(-1)] : []))
    await node.pass(3 * second)
    expect(stopped()).toEqual(['web'])
    await node.pass(2 * second)
    expect(stopped()).toEqual(['web', 'second'])
    await node.pass(6 * second)
    expect(stopped()).toEqual(['web', 'second', 'first'])
    await node.pass(3 * second)
    expect(node.reports().at(-1)).toMatchObject({ stopped: true })
  })
})

describe('the hook after the start', () => {
  const both = (lifecycle: Record<string, unknown>) => ({
    containers: [
      { ...always, lifecycle },
      { name: 'next', image: 'nginx:1.27' },
    ],
  })

  test('holds up the containers behind it, and nothing else', async () => {
    hanging.add('settle')
    await node.put(one({}, {}, both({ postStart: command('settle') })))
    await node.pass(5 * second)
    expect(web()?.state).toHaveProperty('running')
    expect(node.container('default/web', 'next')?.state).toHaveProperty('waiting')
  })

  test('lets them begin when it is done', async () => {
    await node.put(one({}, {}, both({ postStart: command('settle') })))
    await node.pass(1 * second)
    expect(node.container('default/web', 'next')?.state).toHaveProperty('running')
    expect(executed).toEqual(['settle'])
  })

  test('that fails restarts its container', async () => {
    answers.settle = 1
    await node.put(one({ lifecycle: { postStart: command('settle') } }))
    await node.pass(3 * second)
    expect(node.reasons()).toContain('FailedPostStartHook')
    expect(web()?.restartCount).toBeGreaterThan(0)
  })
})

describe('the hook before the end', () => {
  const lifecycle = { preStop: command('bye') }
  const slow = simulate({ containers: { web: { stopAfter: '1h' } } })

  test('runs before the container is asked to end', async () => {
    await node.put(one({ lifecycle }))
    await node.put(one({ lifecycle }, { deletion: { graceSeconds: 10 } }))
    await node.pass(1 * second)
    expect(executed).toEqual(['bye'])
    expect(node.reports().at(-1)).toMatchObject({ stopped: true })
  })

  test('runs before a container that a person restarts', async () => {
    await node.put(one({ lifecycle }))
    const { pods, objects, runtime } = node.parts
    const control = new PodControl({ pods, objects, runtime })
    expect(await control.restart({ namespace: 'default', name: 'web' }, 'web')).toMatchObject({ is: 'found' })
    await node.pass(2 * second)
    expect([executed, web()?.restartCount]).toEqual([['bye'], 1])
    expect(node.reasons()).toContain('Killing')
  })

  test('runs for a pod that was deleted while edgecore was off', async () => {
    await node.put(one({ lifecycle }))
    await node.crash()
    await node.put(one({ lifecycle }, { deletion: { graceSeconds: 10 } }))
    await node.start()
    await node.pass(1 * second)
    expect(executed).toEqual(['bye'])
    expect(node.reports().at(-1)).toMatchObject({ stopped: true })
  })

  test('has, after a crash of edgecore in the middle of it, what was left of the grace', async () => {
    hanging.add('bye')
    await node.put(one({ lifecycle }, { annotations: slow }))
    await node.put(one({ lifecycle }, { annotations: slow, deletion: { graceSeconds: 30 } }))
    await node.pass(20 * second)
    await node.crash()
    await node.start()
    expect(executed).toEqual(['bye', 'bye'])
    await node.pass(8 * second)
    expect(web()?.state).toHaveProperty('running')
    await node.pass(5 * second)
    expect(web()?.state).toMatchObject({ terminated: { exitCode: 137 } })
    expect(node.reports().at(-1)).toMatchObject({ stopped: true })
  })

  test('uses up the grace: who never ends in it is killed at its end', async () => {
    hanging.add('bye')
    await node.put(one({ lifecycle }, { annotations: slow }))
    await node.put(one({ lifecycle }, { annotations: slow, deletion: { graceSeconds: 10 } }))
    await node.pass(9 * second)
    expect(web()?.state).toHaveProperty('running')
    // Two seconds are left to every container.
    await node.pass(4 * second)
    expect(web()?.state).toMatchObject({ terminated: { exitCode: 137 } })
    expect(executed).toEqual(['bye'])
  })

  test('a shorter grace brings the end forward, and none ends it at once', async () => {
    hanging.add('bye')
    await node.put(one({ lifecycle }, { annotations: slow }))
    await node.put(one({ lifecycle }, { annotations: slow, deletion: { graceSeconds: 100 } }))
    await node.pass(5 * second)
    expect(web()?.state).toHaveProperty('running')
    await node.put(one({ lifecycle }, { annotations: slow, deletion: { graceSeconds: 0 } }))
    await node.pass(1 * second)
    expect(web()?.state).toMatchObject({ terminated: { exitCode: 137 } })
  })

  test('that fails is told, and the container ends all the same', async () => {
    answers.bye = 1
    await node.put(one({ lifecycle }))
    await node.put(one({ lifecycle }, { deletion: { graceSeconds: 10 } }))
    await node.pass(1 * second)
    expect(node.reasons()).toContain('FailedPreStopHook')
    expect(node.reports().at(-1)).toMatchObject({ stopped: true })
  })

  test('is not run for an image that changes without one, and once for one that has it', async () => {
    await node.put(one({ lifecycle }))
    await node.put(one({ lifecycle, image: 'nginx:1.28' }))
    await node.pass(1 * second)
    expect(executed).toEqual(['bye'])
    expect(web()).toMatchObject({ image: 'nginx:1.28', restartCount: 1 })
  })
})

test('an image is pulled with what its pod is given for it', async () => {
  const pulls: unknown[] = []
  const wrap = node.wrap
  node.wrap = (runtime) =>
    new Proxy(wrap(runtime), {
      get(target, name) {
        if (name !== 'pull') return Reflect.get(target, name)
        return (image: string, config: PodConfig, credentials: unknown) => {
          pulls.push(credentials)
          return runtime.pull(image, config)
        }
      },
    })
  await node.crash()
  await node.start()
  const auths = {
    'r.example': { username: 'me', password: 'secret' },
    'other.example': { username: 'x', password: 'y' },
  }
  await node.put(secret('regcred', { '.dockerconfigjson': JSON.stringify({ auths }) }))
  await node.put(one({ image: 'r.example/shop:1' }, {}, { imagePullSecrets: [{ name: 'regcred' }, { name: 'none' }] }))
  expect(pulls).toEqual([[{ serverAddress: 'r.example', username: 'me', password: 'secret' }]])
})
