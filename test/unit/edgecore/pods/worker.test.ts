import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PodConfig, PodName, Runtime } from '@kedge/edgecore/pods/runtime'
import { parseReport } from '@kedge/shared/frames'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configMap, PodNode, type PodOptions, pod, secret, simulate } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let node: PodNode

beforeEach(async () => {
  node = new PodNode(tempDir())
  await node.start()
})

afterEach(async () => {
  if (node.started) await node.crash()
  node.close()
})

function waitingReason(name = 'web', of = 'default/web'): string | undefined {
  const state = node.container(of, name)?.state
  return state && 'waiting' in state ? state.waiting.reason : undefined
}

function exitCode(name = 'web', of = 'default/web'): number | undefined {
  const state = node.container(of, name)?.state
  return state && 'terminated' in state ? state.terminated.exitCode : undefined
}

/** A pod whose container `web` behaves as told. */
function behaving(behaviour: Record<string, unknown>, options: PodOptions = {}) {
  return pod('web', { ...options, annotations: simulate({ containers: { web: behaviour } }) })
}

describe('a pod comes up', () => {
  test('with one report and the events of its life so far', async () => {
    await node.put(pod('web'))
    expect(node.status('default/web')?.phase).toBe('Running')
    expect(node.reports()).toHaveLength(1)
    // A warning is an alarm, and alarms go first.
    expect(node.reasons()).toEqual(['SimulatedRuntime', 'Pulling', 'Pulled', 'Created', 'Started'])
  })

  test('and says everywhere that it is simulated', async () => {
    await node.put(pod('web'))
    const status = node.status('default/web')
    expect(status?.message).toContain('Simulated')
    expect(status?.conditions.find(({ type }) => type === 'kedge.io/Simulated')).toMatchObject({ status: 'True' })
    expect(node.container('default/web', 'web')?.imageID).toMatch(/^simulated:/)
    expect(node.container('default/web', 'web')?.containerID).toMatch(/^simulated:\/\/[0-9a-f]{64}$/)
  })

  test('and every report is one that the cloud can read', async () => {
    await node.put(behaving({ exitAfter: '1s', exitCode: 3 }), pod('b', { spec: { containers: [] } }))
    await node.pass(30_000)
    const all = node.parts.outbox.all()
    expect(all.map(({ report }) => parseReport(JSON.parse(JSON.stringify(report))).ok)).toEqual(all.map(() => true))
    expect(new Set(node.events().map(({ id }) => id)).size).toBe(node.events().length)
  })

  test('nothing is reported when nothing changed', async () => {
    await node.put(pod('web'))
    await node.acknowledge()
    node.parts.pods.wake(['pods/default/web'])
    await node.pass(3_600_000)
    expect(node.parts.outbox.all()).toEqual([])
  })
})

describe('what a pod refers to', () => {
  const env = (ref: Record<string, unknown>) => ({
    containers: [{ name: 'web', image: 'nginx:1.27', env: [{ name: 'A', valueFrom: ref }] }],
  })
  const volume = {
    containers: [{ name: 'web', image: 'nginx:1.27' }],
    volumes: [{ name: 'conf', configMap: { name: 'conf' } }],
  }
  const folder = (uid = 'uid-web') => join(node.dir, 'pods', uid, 'volumes', 'conf')

  test('a missing ConfigMap, then a missing key, hold up the container; the key lets it start', async () => {
    await node.put(pod('web', { spec: env({ configMapKeyRef: { name: 'conf', key: 'a' } }) }))
    expect(node.container('default/web', 'web')?.state).toEqual({
      waiting: { reason: 'CreateContainerConfigError', message: 'configmap "conf" not found' },
    })
    await node.put(configMap('conf', { b: '1' }))
    expect(node.container('default/web', 'web')?.state).toEqual({
      waiting: { reason: 'CreateContainerConfigError', message: "couldn't find key a in ConfigMap default/conf" },
    })
    await node.put(configMap('conf', { a: '1' }))
    expect(node.status('default/web')?.phase).toBe('Running')
    const told = node.events().filter(({ reason }) => reason === 'Failed')
    expect(told.map(({ message }) => message)).toEqual([
      'Error: configmap "conf" not found',
      "Error: couldn't find key a in ConfigMap default/conf",
    ])
  })

  test('an optional Secret holds up nothing', async () => {
    await node.put(pod('web', { spec: env({ secretKeyRef: { name: 's', key: 'a', optional: true } }) }))
    expect(node.status('default/web')?.phase).toBe('Running')
  })

  test('a volume waits for its ConfigMap, holds its files, follows its changes and goes with the pod', async () => {
    await node.put(pod('web', { spec: volume }))
    expect(waitingReason()).toBe('ContainerCreating')
    expect(node.status('default/web')?.message).toContain('MountVolume.SetUp failed for volume "conf"')
    expect(node.reasons()).toContain('FailedMount')
    await node.put(configMap('conf', { 'app.ini': 'one', old: 'x' }))
    expect(node.status('default/web')?.phase).toBe('Running')
    expect(readFileSync(join(folder(), 'app.ini'), 'utf8')).toBe('one')
    await node.put(configMap('conf', { 'app.ini': 'two' }))
    expect(readFileSync(join(folder(), 'app.ini'), 'utf8')).toBe('two')
    expect(readdirSync(folder()).filter((name) => !name.startsWith('..'))).toEqual(['app.ini'])
    await node.drop('pods/default/web')
    expect(existsSync(join(node.dir, 'pods', 'uid-web'))).toBe(false)
    expect(node.status('default/web')).toBeUndefined()
  })

  test('a change made while edgecore was down is in the files after its start', async () => {
    await node.put(pod('web', { spec: volume }), configMap('conf', { 'app.ini': 'one' }))
    await node.crash()
    await node.put(configMap('conf', { 'app.ini': 'two' }))
    await node.start()
    expect(readFileSync(join(folder(), 'app.ini'), 'utf8')).toBe('two')
  })

  test('a running pod keeps its files when the ConfigMap goes', async () => {
    await node.put(pod('web', { spec: volume }), configMap('conf', { 'app.ini': 'one' }))
    await node.drop('configmaps/default/conf')
    expect(readFileSync(join(folder(), 'app.ini'), 'utf8')).toBe('one')
    expect(node.status('default/web')?.phase).toBe('Running')
  })

  test('a Secret is written decoded, with the mode asked for', async () => {
    const volumes = [{ name: 'conf', secret: { secretName: 's', defaultMode: 0o400 } }]
    await node.put(pod('web', { spec: { volumes } }), secret('s', { password: 'hunter2' }))
    expect(readFileSync(join(folder(), 'password'), 'utf8')).toBe('hunter2')
  })
})

describe('restarts', () => {
  test('at once, then after 10 s doubling to 5 min', async () => {
    await node.put(behaving({ exitAfter: '1s', exitCode: 1 }))
    const counts: number[] = []
    let before = 0
    for (let second = 0; second <= 1300; second += 1) {
      const count = node.container('default/web', 'web')?.restartCount ?? 0
      if (count > before) counts.push(second)
      before = count
      await node.pass(1000)
    }
    // Each run takes a second; the gaps between the restarts are 10, 20, 40, 80, 160, 300, 300 s and that second.
    expect(counts).toEqual([1, 12, 33, 74, 155, 316, 617, 918, 1219])
  })

  test('say CrashLoopBackOff, how the last run ended, and once per wait that they hold back', async () => {
    await node.put(behaving({ exitAfter: '1s', exitCode: 7 }))
    await node.pass(5_000)
    expect(waitingReason()).toBe('CrashLoopBackOff')
    expect(node.container('default/web', 'web')).toMatchObject({
      restartCount: 1,
      ready: false,
      lastState: { terminated: { exitCode: 7, reason: 'Error' } },
    })
    expect(node.reasons().filter((reason) => reason === 'BackOff')).toHaveLength(1)
    await node.pass(10_000)
    expect(node.reasons().filter((reason) => reason === 'BackOff')).toHaveLength(2)
  })

  test('go on where they were when edgecore is killed', async () => {
    await node.put(behaving({ exitAfter: '1s', exitCode: 1 }))
    await node.pass(2_500)
    await node.crash()
    await node.start()
    expect(waitingReason()).toBe('CrashLoopBackOff')
    await node.pass(10_000)
    expect(node.container('default/web', 'web')?.restartCount).toBe(2)
    expect(node.reasons().filter((reason) => reason === 'BackOff').length).toBeLessThanOrEqual(2)
  })

  test('a clock that is set back does not put them off', async () => {
    await node.put(behaving({ exitAfter: '1s', exitCode: 1 }))
    await node.pass(3_000)
    node.clock.jump(-86_400_000)
    await node.pass(20_000)
    expect(node.container('default/web', 'web')?.restartCount).toBeGreaterThanOrEqual(2)
  })

  test.each([
    ['Never', 0, 'Succeeded', 0],
    ['Never', 1, 'Failed', 0],
    ['OnFailure', 0, 'Succeeded', 0],
    ['OnFailure', 1, 'Running', 1],
    ['Always', 0, 'Running', 1],
  ] as const)('restartPolicy %s after exit code %i', async (restartPolicy, code, phase, restarts) => {
    await node.put(behaving({ exitAfter: '1s', exitCode: code }, { spec: { restartPolicy } }))
    await node.pass(3_000)
    expect(node.status('default/web')?.phase).toBe(phase)
    expect(node.container('default/web', 'web')?.restartCount).toBe(restarts)
  })

  test('a pod that has ended never runs again, not even when the engine has forgotten it', async () => {
    await node.put(behaving({ exitAfter: '1s' }, { spec: { restartPolicy: 'Never' } }))
    await node.pass(2_000)
    const { runtime } = node.parts
    for (const { id } of await runtime.list()) await runtime.removeSandbox(id)
    const before = node.status('default/web')
    await node.crash()
    await node.start()
    expect(node.status('default/web')).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: before?.containerStatuses,
    })
    expect(await node.parts.runtime.list()).toEqual([])
  })

  test('a new image replaces the container', async () => {
    await node.put(pod('web'))
    const before = node.container('default/web', 'web')?.containerID
    await node.put(pod('web', { spec: { containers: [{ name: 'web', image: 'nginx:1.28' }] } }))
    const after = node.container('default/web', 'web')
    expect(after).toMatchObject({ image: 'nginx:1.28', restartCount: 1, ready: true })
    expect(after?.containerID).not.toBe(before)
  })
})

describe('the spec is kept to', () => {
  test('a new image runs even where nothing restarts', async () => {
    const of = (image: string) => pod('web', { spec: { restartPolicy: 'Never', containers: [{ name: 'web', image }] } })
    await node.put(of('nginx:1.27'))
    await node.put(of('nginx:1.28'))
    expect(node.container('default/web', 'web')).toMatchObject({ image: 'nginx:1.28', ready: true })
  })

  test('activeDeadlineSeconds end the pod, counted from its start, also over a restart of edgecore', async () => {
    await node.put(pod('web', { spec: { activeDeadlineSeconds: 60 } }))
    await node.pass(30_000)
    await node.crash()
    await node.start()
    await node.pass(29_000)
    expect(node.status('default/web')?.phase).toBe('Running')
    await node.pass(1_000)
    expect(node.status('default/web')).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' })
    expect(exitCode()).toBe(0)
  })

  test('imagePullPolicy Always asks for each start, and makes do with what is there when nobody answers', async () => {
    const web = { name: 'web', image: 'nginx:1.27', imagePullPolicy: 'Always' }
    await node.put(pod('first'))
    await node.pass(1_000)
    await node.put(pod('web', { spec: { containers: [web] }, annotations: simulate({ pullError: 'no such host' }) }))
    expect(node.status('default/web')?.phase).toBe('Running')
    expect(node.events().map(({ message }) => message)).toContain(
      'Failed to pull image "nginx:1.27", the copy on this node is used: no such host',
    )
  })

  test('what is not done is said, once', async () => {
    await node.put(pod('web', { spec: { ephemeralContainers: [{ name: 'debug' }] } }))
    await node.put(pod('web', { spec: { ephemeralContainers: [{ name: 'debug' }] }, annotations: { a: 'b' } }))
    expect(node.status('default/web')?.message).toContain('spec.ephemeralContainers: not supported')
    expect(node.reasons().filter((reason) => reason === 'Unsupported')).toHaveLength(1)
  })
})

describe('init containers', () => {
  const containers = {
    initContainers: [
      { name: 'a', image: 'a:1' },
      { name: 'b', image: 'b:1' },
    ],
  }

  test('run one after the other, then the others', async () => {
    const annotations = simulate({ containers: { a: { exitAfter: '5s' }, b: { exitAfter: '5s' } } })
    await node.put(pod('web', { spec: containers, annotations }))
    expect([node.container('default/web', 'a')?.started, waitingReason('b'), waitingReason()]).toEqual([
      true,
      'PodInitializing',
      'PodInitializing',
    ])
    expect(node.status('default/web')?.phase).toBe('Pending')
    await node.pass(5_000)
    expect([exitCode('a'), node.container('default/web', 'b')?.started, waitingReason()]).toEqual([
      0,
      true,
      'PodInitializing',
    ])
    await node.pass(5_000)
    expect(node.status('default/web')?.phase).toBe('Running')
    expect(node.status('default/web')?.conditions.find(({ type }) => type === 'Ready')?.status).toBe('True')
  })

  test('a failed one is tried again; with restartPolicy Never it fails the pod', async () => {
    const annotations = simulate({ containers: { a: { exitCode: 1 } } })
    await node.put(pod('web', { spec: containers, annotations }))
    expect(waitingReason('a')).toBe('CrashLoopBackOff')
    await node.put(pod('never', { spec: { ...containers, restartPolicy: 'Never' }, annotations }))
    expect(node.status('default/never')?.phase).toBe('Failed')
    expect(waitingReason('b', 'default/never')).toBe('PodInitializing')
  })

  test('a sidecar stays, lets the others begin, and ends after them', async () => {
    const initContainers = [{ name: 'side', image: 'a:1', restartPolicy: 'Always' }]
    await node.put(behaving({ exitAfter: '5s' }, { spec: { initContainers, restartPolicy: 'Never' } }))
    expect([node.container('default/web', 'side')?.started, node.container('default/web', 'web')?.started]).toEqual([
      true,
      true,
    ])
    await node.pass(5_000)
    expect(node.status('default/web')?.phase).toBe('Succeeded')
    expect(exitCode('side')).toBe(0)
  })
})

describe('deletion', () => {
  test('waits for the container within the grace, reports stopped, and cleans up when the cloud drops the pod', async () => {
    await node.put(behaving({ stopAfter: '5s' }))
    await node.acknowledge()
    await node.put(behaving({ stopAfter: '5s' }, { deletion: { graceSeconds: 30 } }))
    // It still runs: there is an event to tell, and no other status.
    expect([node.reports(), node.reasons()]).toEqual([[], ['Killing']])
    await node.pass(5_000)
    expect(node.reports()[0]).toMatchObject({ stopped: true, status: { phase: 'Succeeded' } })
    expect(node.reasons().filter((reason) => reason === 'Killing')).toHaveLength(1)
    await node.drop('pods/default/web')
    expect(await node.parts.runtime.list()).toEqual([])
    expect(node.status('default/web')).toBeUndefined()
  })

  test('kills what outlasts its grace', async () => {
    await node.put(behaving({ stopAfter: '1h' }))
    await node.put(behaving({ stopAfter: '1h' }, { deletion: { graceSeconds: 10 } }))
    await node.pass(9_000)
    expect(exitCode()).toBeUndefined()
    await node.pass(1_000)
    expect(exitCode()).toBe(137)
    expect(node.reports()[0]).toMatchObject({ stopped: true, status: { phase: 'Failed' } })
  })

  test('a shorter grace brings the end forward', async () => {
    await node.put(behaving({ stopAfter: '1h' }))
    await node.put(behaving({ stopAfter: '1h' }, { deletion: { graceSeconds: 600 } }))
    await node.pass(5_000)
    await node.put(behaving({ stopAfter: '1h' }, { deletion: { graceSeconds: 1 } }))
    await node.pass(1_000)
    expect(node.reports()[0]?.stopped).toBe(true)
  })

  test('goes on when edgecore is killed in the middle of it', async () => {
    await node.put(behaving({ stopAfter: '20s' }))
    await node.put(behaving({ stopAfter: '20s' }, { deletion: { graceSeconds: 30 } }))
    await node.crash()
    node.clock.jump(25_000)
    await node.start()
    expect(node.reports()[0]?.stopped).toBe(true)
  })

  test('a pod that never started is reported stopped at once', async () => {
    await node.put(pod('web', { deletion: { graceSeconds: 30 } }))
    expect(node.reports()[0]?.stopped).toBe(true)
    expect(await node.parts.runtime.list()).toEqual([])
  })

  test('a pod that was ended already is reported stopped, once', async () => {
    await node.put(behaving({ exitAfter: '1s' }, { spec: { restartPolicy: 'Never' } }))
    await node.pass(2_000)
    await node.acknowledge()
    await node.put(behaving({ exitAfter: '1s' }, { spec: { restartPolicy: 'Never' }, deletion: { graceSeconds: 30 } }))
    expect(node.reports()[0]?.stopped).toBe(true)
    await node.acknowledge()
    node.parts.pods.wake(['pods/default/web'])
    await node.settle()
    expect(node.reports()).toEqual([])
  })

  test('another pod of the same name starts after the first has ended', async () => {
    await node.put(behaving({ stopAfter: '5s' }, { uid: 'first' }))
    await node.put(pod('web', { uid: 'second' }))
    expect((await node.parts.runtime.list()).map((one) => one.pod.uid)).toEqual(['first'])
    await node.pass(5_000)
    expect((await node.parts.runtime.list()).map((one) => one.pod.uid)).toEqual(['second'])
    expect(node.reports()[0]).toMatchObject({ uid: 'second', status: { phase: 'Running' } })
    const killing = node.events().find(({ reason }) => reason === 'Killing')
    expect(killing?.regarding.uid).toBe('first')
  })
})

describe('edgecore goes, pods stay', () => {
  test('a kill and a start adopt the same containers, and nothing is reported', async () => {
    await node.put(pod('web'), pod('db'))
    const running = async () => (await node.parts.runtime.list()).toSorted((a, b) => a.id.localeCompare(b.id))
    const before = await running()
    await node.acknowledge()
    await node.crash()
    node.clock.jump(60_000)
    await node.start()
    expect(await running()).toEqual(before)
    expect(node.parts.outbox.all()).toEqual([])
  })

  test('a reboot of the machine brings every pod back, at once and with the restart counted', async () => {
    await node.put(pod('web'), behaving({ exitAfter: '1s', exitCode: 1 }))
    await node.put(pod('db'))
    await node.pass(2_000)
    await node.reboot()
    expect(node.container('default/db', 'web')).toMatchObject({
      ready: true,
      restartCount: 1,
      lastState: { terminated: { exitCode: 255, reason: 'Unknown' } },
    })
    expect(node.container('default/web', 'web')?.restartCount).toBe(2)
  })

  test('a reboot fails what may not restart', async () => {
    await node.put(pod('web', { spec: { restartPolicy: 'Never' } }))
    await node.reboot()
    expect(node.status('default/web')?.phase).toBe('Failed')
  })

  test('a pod dropped while edgecore was down is stopped, removed and forgotten', async () => {
    await node.put(pod('web', { spec: { volumes: [{ name: 'conf', downwardAPI: { items: [] } }] } }))
    expect(existsSync(join(node.dir, 'pods', 'uid-web'))).toBe(true)
    await node.crash()
    await node.drop('pods/default/web')
    await node.start()
    expect(await node.parts.runtime.list()).toEqual([])
    expect(existsSync(join(node.dir, 'pods', 'uid-web'))).toBe(false)
  })

  test('what runs is left alone until the state that lacks it was verified', async () => {
    await node.put(pod('web'))
    await node.crash()
    await node.drop('pods/default/web')
    node.verified = false
    await node.start()
    await node.pass(60_000)
    expect(await node.parts.runtime.list()).toHaveLength(1)
    node.verified = true
    node.parts.pods.wake([])
    await node.settle()
    expect(await node.parts.runtime.list()).toEqual([])
  })
})

/** The node on an engine of which one method is another. */
async function startWith(method: keyof Runtime, instead: (engine: Runtime) => unknown): Promise<void> {
  await node.crash()
  node.wrap = (engine) =>
    new Proxy(engine, {
      get(target, name) {
        if (name === method) return instead(target)
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  await node.start()
}

test('a change that comes in the middle of a pass leads to another pass', async () => {
  let arrived = () => {}
  let goOn = () => {}
  const inTheMiddle = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  // The look that finds the container running: what was wanted is read by then, and the pod is about to settle.
  await startWith('list', (engine) => async (name?: PodName) => {
    const seen = await engine.list(name)
    if (seen.some(({ containers }) => containers.some(({ state }) => state.is === 'running'))) {
      arrived()
      await gate
    }
    return seen
  })
  const first = node.put(pod('web'))
  await inTheMiddle
  const second = node.put(pod('web', { deletion: { graceSeconds: 30 } }))
  goOn()
  await Promise.all([first, second])
  expect(node.reports()[0]?.stopped).toBe(true)
})

describe('what cannot be done is said', () => {
  test('a wrong annotation is refused on the status by name, once, and a right one heals it', async () => {
    await node.put(pod('web', { annotations: { 'kedge.io/simulate': '{"containers":{"web":{"exitAfter":5}}}' } }))
    expect(node.status('default/web')).toMatchObject({ phase: 'Pending', reason: 'RefusedByRuntime' })
    expect(node.status('default/web')?.message).toContain('annotation kedge.io/simulate: containers.web.exitAfter')
    node.parts.pods.wake(['pods/default/web'])
    await node.settle()
    expect(node.reasons().filter((reason) => reason === 'RefusedByRuntime')).toHaveLength(1)
    await node.put(pod('web'))
    expect(node.status('default/web')?.phase).toBe('Running')
    expect(node.status('default/web')?.reason).toBeUndefined()
  })

  test('behaviour for a container that there is not is refused', async () => {
    await node.put(pod('web', { annotations: simulate({ containers: { wbe: { exitAfter: '1s' } } }) }))
    expect(node.status('default/web')?.message).toBe(
      'annotation kedge.io/simulate: containers.wbe: the pod has no such container, it has web',
    )
  })

  test('a spec that cannot be read names the field', async () => {
    await node.put(pod('web', { spec: { containers: [{ name: 'web' }] } }))
    expect(node.status('default/web')).toMatchObject({ phase: 'Pending', reason: 'InvalidPod' })
    expect(node.status('default/web')?.message).toContain('spec.containers.0.image')
  })

  test('an image that never comes backs off', async () => {
    await node.put(pod('web', { annotations: simulate({ pullError: 'no such host' }) }))
    expect(node.container('default/web', 'web')?.state).toEqual({
      waiting: { reason: 'ErrImagePull', message: 'no such host' },
    })
    await node.pass(10_000)
    expect(waitingReason()).toBe('ImagePullBackOff')
    expect(node.reasons()).toEqual(expect.arrayContaining(['Failed', 'BackOff']))
  })

  test('an image that takes its time holds up its own pod alone', async () => {
    await node.put(
      pod('slow', {
        annotations: simulate({ pullTime: '60s' }),
        spec: { containers: [{ name: 'web', image: 'slow:1' }] },
      }),
    )
    await node.put(pod('web'))
    expect([waitingReason('web', 'default/slow'), node.status('default/web')?.phase]).toEqual([
      'ContainerCreating',
      'Running',
    ])
    await node.pass(60_000)
    expect(node.status('default/slow')?.phase).toBe('Running')
  })

  test('the engine fails for one pod: it is tried again, said once, and its neighbours run', async () => {
    let failing = true
    await startWith('createSandbox', (engine) => async (config: PodConfig, attempt: number) => {
      if (failing && config.name === 'web') throw new Error('no space left on device')
      return engine.createSandbox(config, attempt)
    })
    await node.put(pod('web'), pod('db'))
    expect([node.status('default/web')?.phase, node.status('default/db')?.phase]).toEqual(['Pending', 'Running'])
    await node.pass(10_000)
    const told = node.events().filter(({ reason }) => reason === 'FailedCreatePodSandBox')
    expect(told.map(({ message }) => message)).toEqual(['no space left on device'])
    failing = false
    await node.pass(60_000)
    expect(node.status('default/web')?.phase).toBe('Running')
  })
})
