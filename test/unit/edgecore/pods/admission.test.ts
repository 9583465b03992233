import { Admission, admit, isRejection, type Room } from '@kedge/edgecore/pods/admission'
import { amountsIn, claimOf, readAmounts } from '@kedge/edgecore/pods/claim'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, test } from 'vitest'

const room: Room = {
  amounts: amountsIn({ cpu: '4', memory: '1Gi', 'ephemeral-storage': '10Gi' }),
  pods: 3,
  labels: { 'kubernetes.io/arch': 'arm64', 'kubernetes.io/os': 'linux' },
}

function podOf(name: string, spec: Record<string, unknown> = {}): KubeObject {
  const metadata = { name, namespace: 'default', uid: `uid-${name}` }
  return { metadata, spec: { containers: [{ name: 'web', image: 'nginx' }], ...spec } }
}

const asking = (resources: unknown) => ({ containers: [{ name: 'web', image: 'nginx', resources }] })
const listening = (ports: unknown, more = {}) => ({ containers: [{ name: 'web', image: 'nginx', ports }], ...more })

describe('what a pod asks for', () => {
  test.each([
    ['the sum of its containers', { containers: [ask('1', '100Mi'), ask('500m', '28Mi')] }, 1.5, 128],
    ['an init container that needs more', { containers: [ask('1', '10Mi')], initContainers: [ask('2', '5Mi')] }, 2, 10],
    [
      'sidecars run beside the containers',
      { containers: [ask('1', '10Mi')], initContainers: [{ ...ask('1', '10Mi'), restartPolicy: 'Always' }] },
      2,
      20,
    ],
    [
      'an init container runs beside the sidecars before it',
      {
        containers: [ask('100m', '1Mi')],
        initContainers: [{ ...ask('1', '1Mi'), restartPolicy: 'Always' }, ask('3', '1Mi')],
      },
      4,
      2,
    ],
    ['a limit without a request', { containers: [{ resources: { limits: { cpu: '2', memory: '1Mi' } } }] }, 2, 1],
    ['its overhead', { containers: [ask('1', '1Mi')], overhead: { cpu: '250m', memory: '1Mi' } }, 1.25, 2],
    ['nothing that cannot be read', { containers: [ask('lots', 'more')] }, 0, 0],
  ])('%s', (_what, spec, cpu, mebibytes) => {
    const { requests } = claimOf(podOf('a', spec))
    expect([requests.cpu, requests.memory / 1024 / 1024]).toEqual([cpu, mebibytes])
  })
})

function ask(cpu: string, memory: string) {
  return { resources: { requests: { cpu, memory } } }
}

describe('a node without room', () => {
  test.each([
    [
      'processors',
      asking({ requests: { cpu: '3500m' } }),
      [asking({ requests: { cpu: '1' } })],
      "OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: 3500, used: 1000, capacity: 4000",
    ],
    [
      'memory',
      asking({ requests: { memory: '2Gi' } }),
      [],
      "OutOfmemory: Pod was rejected: Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
    ],
    ['storage', asking({ requests: { 'ephemeral-storage': '11Gi' } }), [], 'OutOfephemeral-storage: '],
    [
      'pods',
      {},
      [{}, {}, {}],
      "OutOfpods: Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 3",
    ],
    [
      'a port of the node',
      listening([{ containerPort: 80, hostPort: 8080 }]),
      [listening([{ containerPort: 90, hostPort: 8080, hostIP: '10.0.0.1' }])],
      'NodePorts: Pod was rejected: Predicate NodePorts failed: host port 8080/TCP is held by pod default/other-0',
    ],
    [
      'a port of a pod on the node network',
      listening([{ containerPort: 80 }], { hostNetwork: true }),
      [listening([{ containerPort: 9, hostPort: 80 }])],
      'NodePorts: ',
    ],
    [
      'the selector',
      { nodeSelector: { 'kubernetes.io/arch': 'amd64' } },
      [],
      'NodeAffinity: Pod was rejected: Predicate NodeAffinity failed: spec.nodeSelector asks for kubernetes.io/arch=amd64, this node has kubernetes.io/arch=arm64',
    ],
    ['the system', { os: { name: 'windows' } }, [], 'PodOSNotSupported: '],
  ])('%s', (_what, spec, others, told) => {
    const claims = others.map((other, index) => claimOf(podOf(`other-${index}`, other)))
    const rejection = admit(podOf('a', spec), claims, room)
    expect(`${rejection?.reason}: ${rejection?.message}`).toContain(told)
    expect(isRejection(rejection?.reason)).toBe(true)
  })

  test.each([
    ['as much as there is', asking({ requests: { cpu: '4', memory: '1Gi' } }), {}],
    [
      'the same port of another address',
      listening([{ hostPort: 1, hostIP: '10.0.0.1' }]),
      listening([{ hostPort: 1, hostIP: '10.0.0.2' }]),
    ],
    ['the same port of another protocol', listening([{ hostPort: 1 }]), listening([{ hostPort: 1, protocol: 'UDP' }])],
    ['a label that only others know', { nodeSelector: { zone: 'north' } }, {}],
  ])('there is room for %s', (_what, spec, other) => {
    expect(admit(podOf('a', spec), [claimOf(podOf('b', other))], room)).toBeUndefined()
  })
})

describe('who is in', () => {
  const large = asking({ requests: { cpu: '3' } })
  const wanted = new Set(['default/a', 'default/b'])
  const gate = (...admitted: KubeObject[]) => new Admission({ admitted, wanted: () => wanted, room: () => room })
  const applicant = (content: KubeObject, over = {}) => ({
    ...{ uid: content.metadata.uid ?? '', content, known: false, ended: false },
    ...over,
  })

  test('two never get the same room, and one that has ended gives its own back', () => {
    const admission = gate()
    expect(admission.judge(applicant(podOf('a', large)))).toBeUndefined()
    expect(admission.judge(applicant(podOf('b', large)))).toMatchObject({ reason: 'OutOfcpu' })
    expect(admission.judge(applicant(podOf('a', large), { ended: true }))).toBeUndefined()
    expect(admission.judge(applicant(podOf('b', large)))).toBeUndefined()
  })

  test('a pod that ran before is in, whatever room there is', () => {
    const admission = gate(podOf('a', large))
    expect(admission.judge(applicant(podOf('b', large), { known: true }))).toBeUndefined()
    expect(admission.judge(applicant(podOf('a', large)))).toBeUndefined()
  })

  test('who is no longer wanted, or bears the same name, takes no room', () => {
    const admission = gate(podOf('gone', large), podOf('b', large))
    const again = podOf('b', large)
    again.metadata.uid = 'another'
    expect(admission.judge(applicant(again))).toBeUndefined()
  })
})

test.each([
  ['cpu=200m,memory=256Mi', { cpu: 0.2, memory: 268435456, 'ephemeral-storage': 0 }],
  ['ephemeral-storage=1Gi', { cpu: 0, memory: 0, 'ephemeral-storage': 1073741824 }],
  ['cpu', undefined],
  ['gpu=1', undefined],
  ['cpu=lots', undefined],
  ['cpu=-1', undefined],
])('amounts on a command line: %s', (text, amounts) => {
  expect(readAmounts(text)).toEqual(amounts)
})
