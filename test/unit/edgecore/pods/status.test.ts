import type { Situation, Tended } from '@kedge/edgecore/pods/situation'
import { readPod } from '@kedge/edgecore/pods/spec'
import { type PodStatus, podStatus, type StatusInput } from '@kedge/edgecore/pods/status'
import { type QosClass, qosClass } from '@kedge/shared/kubeapi/qos'
import { describe, expect, test } from 'vitest'
import { pod } from '../../../support/pod-node.ts'
import { at, container, exited, running, sandbox, situation, wanted } from '../../../support/situations.ts'

function status(change: Partial<Situation>, more: Partial<StatusInput> = {}): PodStatus {
  const full = situation(change)
  const of = full.wanted ?? wanted()
  return podStatus({
    wanted: of,
    situation: full,
    hostIP: '192.0.2.7',
    qosClass: 'BestEffort',
    runtime: { name: 'cri' },
    ...more,
  })
}

/** The conditions that are true, in order. */
function truths({ conditions }: PodStatus): string {
  return conditions.flatMap(({ type, status: is }) => (is === 'True' ? [type] : [])).join(' ')
}

const all = 'PodReadyToStartContainers Initialized Ready ContainersReady PodScheduled'
const never = wanted({ spec: { restartPolicy: 'Never' } })
const deleted = wanted({ deletion: { graceSeconds: 5 } })
const init = wanted({ spec: { initContainers: [{ name: 'a', image: 'nginx:1.27' }], restartPolicy: 'Never' } })
const first = (state: Parameters<typeof container>[0]) => container(state, { name: 'a', kind: 'init' })

describe('phase and conditions', () => {
  test.each<[string, Partial<Situation>, PodStatus['phase'], string]>([
    ['nothing yet', {}, 'Pending', 'Initialized PodScheduled'],
    ['a sandbox', { seen: [sandbox()] }, 'Pending', 'PodReadyToStartContainers Initialized PodScheduled'],
    ['it runs', { seen: [sandbox([container(running())])] }, 'Running', all],
    [
      'it crashed',
      { seen: [sandbox([container(exited(1), { attempt: 1, backoffMs: at(10) })])] },
      'Running',
      'PodReadyToStartContainers Initialized PodScheduled',
    ],
    [
      'it ended well',
      { wanted: never, seen: [sandbox([container(exited(0))], { ready: false })] },
      'Succeeded',
      'Initialized PodScheduled',
    ],
    [
      'it failed',
      { wanted: never, seen: [sandbox([container(exited(1))], { ready: false })] },
      'Failed',
      'Initialized PodScheduled',
    ],
    [
      'its time is over and it still runs',
      { seen: [sandbox([container(running())])], expiresAt: at(999) },
      'Running',
      all,
    ],
    [
      'its time is over and it has stopped',
      { seen: [sandbox([container(exited(0))], { ready: false })], expiresAt: at(999) },
      'Failed',
      'Initialized PodScheduled',
    ],
    [
      'it initializes',
      { wanted: init, seen: [sandbox([first(running())])] },
      'Pending',
      'PodReadyToStartContainers PodScheduled',
    ],
    [
      'an init container failed',
      { wanted: init, seen: [sandbox([first(exited(1))])] },
      'Failed',
      'PodReadyToStartContainers PodScheduled',
    ],
    [
      'it is stopping',
      { wanted: deleted, seen: [sandbox([container({ is: 'stopping', startedAt: at(900), until: at(1004) })])] },
      'Running',
      all,
    ],
    [
      'it was stopped',
      { wanted: deleted, seen: [sandbox([container(exited(0))], { ready: false })] },
      'Succeeded',
      'Initialized PodScheduled',
    ],
    [
      'it was killed',
      { wanted: deleted, seen: [sandbox([container(exited(137))], { ready: false })] },
      'Failed',
      'Initialized PodScheduled',
    ],
    ['it was deleted before it began', { wanted: deleted }, 'Failed', 'Initialized PodScheduled'],
  ])('%s', (_name, change, phase, conditions) => {
    const found = status(change)
    expect([found.phase, truths(found)]).toEqual([phase, conditions])
  })

  test('say which containers are not ready', () => {
    const ready = status({ seen: [sandbox()] }).conditions.find(({ type }) => type === 'Ready')
    expect(ready).toMatchObject({ reason: 'ContainersNotReady', message: 'containers with unready status: [web]' })
  })

  test.each<[string, unknown[], string | undefined]>([
    ['nobody said so', [], 'corresponding condition of pod readiness gate "shop/open" does not exist.'],
    [
      'somebody said no',
      [{ type: 'shop/open', status: 'False' }],
      'the status of pod readiness gate "shop/open" is not',
    ],
    ['somebody said yes', [{ type: 'shop/open', status: 'True' }], undefined],
  ])('wait for the word of others: %s', (_name, conditions, message) => {
    const content = pod('web', { uid: 'u', spec: { readinessGates: [{ conditionType: 'shop/open' }] } })
    const waiting = readPod({ ...content, status: { conditions } }, null)
    const found = status({ wanted: waiting, seen: [sandbox([container(running())])] }).conditions
    const [ready, containersReady] = ['Ready', 'ContainersReady'].map((type) => found.find((one) => one.type === type))
    expect(containersReady?.status).toBe('True')
    if (message === undefined) expect(ready).toMatchObject({ status: 'True' })
    else
      expect(ready).toMatchObject({
        status: 'False',
        reason: 'ReadinessGatesNotReady',
        message: expect.stringContaining(message),
      })
  })

  test.each<[string, Partial<Tended>, Record<string, boolean>]>([
    ['nothing is wrong', { started: true, ready: true }, { started: true, ready: true }],
    ['it has not started', { started: false, ready: false }, { started: false, ready: false }],
    ['it is not ready', { started: true, ready: false }, { started: true, ready: false }],
  ])('a container that is probed: %s', (_name, known, expected) => {
    const tended = new Map([['web-0', { started: true, ready: true, ...known }]])
    const found = status({ seen: [sandbox([container(running())])], tended })
    expect(found.containerStatuses[0]).toMatchObject(expected)
    expect(truths(found).includes(' Ready ')).toBe(expected.ready)
  })

  test('what a container said last is told with its end', () => {
    const seen = [
      sandbox([container(exited(1), { attempt: 1, backoffMs: at(10) }), container(exited(2), { id: 'older' })]),
    ]
    const found = status({
      seen,
      lastWords: new Map([
        ['web-1', 'disk full'],
        ['older', 'no luck'],
      ]),
    })
    expect(found.containerStatuses[0]?.lastState).toMatchObject({ terminated: { message: 'disk full' } })
  })

  test('a sandbox that cannot be made is told with the containers that wait for it', () => {
    const failure = { reason: 'NetworkNotReady', message: 'no CNI', tries: 1, retryAt: at(1001) }
    const found = status({ failures: new Map([['sandbox', failure]]) })
    expect(found.containerStatuses[0]?.state).toEqual({ waiting: { reason: 'ContainerCreating', message: 'no CNI' } })
  })

  test('every address of the pod is told', () => {
    const seen = [sandbox([container(running())], { ip: '10.0.0.5', ips: ['10.0.0.5', 'fd00::5'] })]
    expect(status({ seen })).toMatchObject({ podIP: '10.0.0.5', podIPs: [{ ip: '10.0.0.5' }, { ip: 'fd00::5' }] })
  })

  test('keep the time of their last change', () => {
    const before = status({})
    const after = status({ seen: [sandbox([container(running())])], now: at(2000) }, { previous: before })
    const times = Object.fromEntries(after.conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]))
    expect(times).toMatchObject({ PodScheduled: '1970-01-01T00:16:40Z', Ready: '1970-01-01T00:33:20Z' })
    expect(after.startTime).toBe(before.startTime)
  })

  test('time alone changes nothing', () => {
    const seen = [sandbox([container(exited(1), { attempt: 1, backoffMs: at(300) })])]
    const before = status({ seen })
    expect(status({ seen, now: at(1100) }, { previous: before })).toEqual(before)
  })
})

describe('containers', () => {
  const of = (change: Partial<Situation>) => status(change).containerStatuses[0]

  test('running', () => {
    expect(of({ seen: [sandbox([container(running())])] })).toEqual({
      name: 'web',
      state: { running: { startedAt: '1970-01-01T00:15:00Z' } },
      lastState: {},
      ready: true,
      started: true,
      restartCount: 0,
      image: 'nginx:1.27',
      imageID: 'sha256:1',
      containerID: 'cri://web-0',
    })
  })

  test('crashed, and held back', () => {
    const found = of({ seen: [sandbox([container(exited(3), { attempt: 1, backoffMs: at(10) })])] })
    const message = 'back-off 10s restarting failed container=web pod=web_default(u)'
    expect(found?.state).toEqual({ waiting: { reason: 'CrashLoopBackOff', message } })
    expect(found?.lastState).toEqual({
      terminated: {
        exitCode: 3,
        reason: 'Error',
        startedAt: '1970-01-01T00:15:00Z',
        finishedAt: '1970-01-01T00:16:39Z',
        containerID: 'cri://web-1',
      },
    })
    expect(found).toMatchObject({ restartCount: 1, ready: false, started: false })
  })

  test('running again, with how it ended before', () => {
    const containers = [container(exited(3)), container(running(999), { attempt: 1 })]
    expect(of({ seen: [sandbox(containers)] })).toMatchObject({
      restartCount: 1,
      state: { running: {} },
      lastState: { terminated: { exitCode: 3 } },
    })
  })

  test.each<[string, Partial<Situation>, string]>([
    ['no sandbox yet', {}, 'ContainerCreating'],
    [
      'its image is on the way',
      { seen: [sandbox()], images: new Map([['nginx:1.27', { is: 'pulling' }]]) },
      'ContainerCreating',
    ],
    [
      'something is missing',
      { seen: [sandbox()], unconfigured: new Map([['web', 'no']]) },
      'CreateContainerConfigError',
    ],
    [
      'it could not be made',
      {
        seen: [sandbox()],
        failures: new Map([
          ['container/web', { reason: 'CreateContainerError', message: 'no', tries: 1, retryAt: at(1001) }],
        ]),
      },
      'CreateContainerError',
    ],
    ['its init containers come first', { wanted: init, seen: [sandbox([first(running())])] }, 'PodInitializing'],
    [
      'it was refused',
      { wanted: { ...wanted(), refusal: { reason: 'RefusedByRuntime', message: 'no' } } },
      'RefusedByRuntime',
    ],
  ])('waiting: %s', (_name, change, reason) => {
    expect(of(change)?.state).toMatchObject({ waiting: { reason } })
  })

  test('what the engine has forgotten stays told', () => {
    const before = status({ wanted: never, seen: [sandbox([container(exited(0))], { ready: false })] })
    const after = status({ wanted: never, ended: 'succeeded' }, { previous: before })
    expect(after.containerStatuses).toEqual(before.containerStatuses)
    expect(after.phase).toBe('Succeeded')
  })
})

describe('the rest', () => {
  test('what the engine wants everyone to know', () => {
    const notice = { type: 'kedge.io/Simulated', reason: 'SimulatedRuntime', message: 'made up' }
    const found = status({}, { runtime: { name: 'simulated', notice } })
    expect(found.message).toBe('made up')
    expect(found.conditions.at(-1)).toMatchObject({ type: 'kedge.io/Simulated', status: 'True', message: 'made up' })
    expect(found.reason).toBeUndefined()
  })

  test('addresses', () => {
    expect(status({ seen: [sandbox()] })).not.toHaveProperty('podIP')
    expect(status({ seen: [sandbox([], { ip: '10.0.0.3' })] })).toMatchObject({
      podIP: '10.0.0.3',
      podIPs: [{ ip: '10.0.0.3' }],
    })
    const hostNetwork = wanted({ spec: { hostNetwork: true } })
    expect(status({ wanted: hostNetwork, seen: [sandbox()] })).toMatchObject({
      hostIP: '192.0.2.7',
      podIP: '192.0.2.7',
    })
  })

  test.each<[QosClass, unknown[]]>([
    ['BestEffort', [{}]],
    ['BestEffort', [{ resources: {} }, { resources: { requests: { 'ephemeral-storage': '1Gi' } } }]],
    ['Burstable', [{ resources: { requests: { cpu: '100m' } } }]],
    ['Burstable', [{ resources: { limits: { cpu: '1', memory: '1Gi' } } }, {}]],
    ['Burstable', [{ resources: { requests: { cpu: '500m', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } } }]],
    ['Guaranteed', [{ resources: { limits: { cpu: '1', memory: '1Gi' } } }]],
    [
      'Guaranteed',
      [{ resources: { requests: { cpu: '1000m', memory: '1024Mi' }, limits: { cpu: 1, memory: '1Gi' } } }],
    ],
  ])('%s: %j', (expected, containers) => {
    expect(qosClass({ containers })).toBe(expected)
  })
})
