import { Container, ContainerStatus } from '@kedge/edgecore/pods/cri/api-container'
import { PodSandbox } from '@kedge/edgecore/pods/cri/api-sandbox'
import { sandboxesOf } from '@kedge/edgecore/pods/cri/listing'
import type { In } from '@kedge/edgecore/pods/cri/protobuf'
import { expect, test } from 'vitest'

const ns = 1e6
const sandbox = PodSandbox.decode(
  PodSandbox.encode({
    id: 's',
    metadata: { namespace: 'default', name: 'web', uid: 'u', attempt: 1 },
    created_at: 1000 * ns,
    annotations: { 'kedge.io/record': '{"graceMs":5000}' },
  }),
)
const kept = { kind: 'main', image: 'web:1', imageId: 'sha256:1', backoffMs: 0 }
const container = Container.decode(
  Container.encode({
    ...{ id: 'c', pod_sandbox_id: 's', metadata: { name: 'main', attempt: 2 }, created_at: 1100 * ns },
    annotations: { 'kedge.io/record': JSON.stringify(kept) },
  }),
)

function listed(status: In<typeof ContainerStatus>, stopping: [string, number][] = []) {
  return sandboxesOf({
    ...{ sandboxes: [sandbox], containers: [container], ips: new Map([['s', ['10.0.0.1', 'fd00::1']]]) },
    ...{
      statuses: new Map([['c', ContainerStatus.decode(ContainerStatus.encode(status))]]),
      stopping: new Map(stopping),
    },
  })
}

test('a sandbox with its container', () => {
  expect(listed({ state: 1, started_at: 1200 * ns })).toEqual([
    {
      ...{ id: 's', pod: { namespace: 'default', name: 'web', uid: 'u' }, attempt: 1, graceMs: 5000, ready: true },
      ...{ createdAt: 1000, ip: '10.0.0.1', ips: ['10.0.0.1', 'fd00::1'] },
      containers: [
        { id: 'c', name: 'main', attempt: 2, ...kept, createdAt: 1100, state: { is: 'running', startedAt: 1200 } },
      ],
    },
  ])
})

const ended = { state: 2, started_at: 1200 * ns, finished_at: 1300 * ns }
test.each([
  ['created', { state: 0 }, { is: 'created' }],
  ['ended well', ended, { exitCode: 0, reason: 'Completed', startedAt: 1200, finishedAt: 1300 }],
  ['ended badly', { ...ended, exit_code: 2 }, { exitCode: 2, reason: 'Error' }],
  ['begun late', { ...ended, started_at: 1302 * ns }, { startedAt: 1300, finishedAt: 1300 }],
  ['killed for memory', { ...ended, exit_code: 137, reason: 'OOMKilled' }, { exitCode: 137, reason: 'OOMKilled' }],
  [
    'never started',
    { state: 2, finished_at: 1300 * ns, exit_code: 128, reason: 'StartError', message: 'no such file' },
    { startedAt: 1300, finishedAt: 1300, reason: 'StartError', message: 'no such file' },
  ],
  ['lost', { state: 3, created_at: 1100 * ns }, { is: 'exited', exitCode: 255, reason: 'Unknown', finishedAt: 1100 }],
])('a container that was %s', (_, status, state) => {
  expect(listed(status)[0]?.containers[0]?.state).toMatchObject(state)
})

test('a container that was asked to end, until it has', () => {
  const state = (status: In<typeof ContainerStatus>) => listed(status, [['c', 5000]])[0]?.containers[0]?.state
  expect(state({ state: 1, started_at: 1200 * ns })).toEqual({ is: 'stopping', startedAt: 1200, until: 5000 })
  expect(state(ended)).toMatchObject({ is: 'exited' })
})

test('a sandbox with a record that cannot be read has the usual grace, and such a container is not ours', () => {
  const odd = { ...sandbox, annotations: { 'kedge.io/record': '{' } }
  const stranger = { ...container, annotations: {} }
  const none = { ips: new Map(), statuses: new Map(), stopping: new Map() }
  const found = sandboxesOf({ sandboxes: [odd], containers: [stranger], ...none })
  expect(found).toMatchObject([{ graceMs: 30_000, containers: [] }])
})
