import { ContainerSpec } from '@kedge/edgecore/pods/container-schema'
import { PodSpec } from '@kedge/edgecore/pods/pod-schema'
import { containerSecurity, dependsOnImageUser, rootFault, sandboxSecurity } from '@kedge/edgecore/pods/security'
import { readPod } from '@kedge/edgecore/pods/spec'
import { describe, expect, test } from 'vitest'
import { pod } from '../../../support/pod-node.ts'

function parsed(own: Record<string, unknown>, pod: Record<string, unknown>) {
  const container = ContainerSpec.parse({ name: 'web', image: 'i', securityContext: own })
  const spec = PodSpec.parse({ containers: [{ name: 'web', image: 'i', securityContext: own }], securityContext: pod })
  return { container, spec }
}

function never(): never {
  throw new Error('the pod has no spec')
}

function rights(own: Record<string, unknown>, pod: Record<string, unknown> = {}) {
  const { container, spec } = parsed(own, pod)
  return containerSecurity(container, spec.securityContext)
}

describe('the rights of a container', () => {
  test('nothing said is nothing given', () => expect(rights({})).toEqual({}))

  test('what it says goes before what its pod says', () => {
    const pod = { runAsUser: 1, runAsGroup: 2, seccompProfile: { type: 'Unconfined' } }
    expect(rights({ runAsUser: 5, seccompProfile: { type: 'RuntimeDefault' } }, pod)).toEqual({
      ...{ runAsUser: 5, runAsGroup: 2, seccomp: { type: 'RuntimeDefault' } },
    })
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    ['groups', {}, { supplementalGroups: [7, 8], fsGroup: 8 }, { supplementalGroups: [7, 8] }],
    [
      'capabilities',
      { capabilities: { add: ['CAP_NET_ADMIN', 'sys_time'], drop: ['ALL'] } },
      {},
      { addCapabilities: ['NET_ADMIN', 'SYS_TIME'], dropCapabilities: ['ALL'] },
    ],
    ['no escalation', { allowPrivilegeEscalation: false }, {}, { noNewPrivs: true }],
    ['escalation', { allowPrivilegeEscalation: true }, {}, {}],
    [
      'a local seccomp profile',
      { seccompProfile: { type: 'Localhost', localhostProfile: 'a.json' } },
      {},
      { seccomp: { type: 'Localhost', path: '/var/lib/kubelet/seccomp/a.json' } },
    ],
    [
      'a local AppArmor profile',
      { appArmorProfile: { type: 'Localhost', localhostProfile: 'a' } },
      {},
      { apparmor: { type: 'Localhost', path: 'a' } },
    ],
    ['SELinux', {}, { seLinuxOptions: { level: 's0' } }, { selinux: { level: 's0' } }],
    ['all of /proc', { procMount: 'Unmasked' }, {}, { procMount: 'Unmasked' }],
    [
      'everything',
      { privileged: true, readOnlyRootFilesystem: true },
      {},
      { privileged: true, readOnlyRootFilesystem: true },
    ],
  ])('%s', (_name, own, pod, expected) => {
    expect(rights(own, pod)).toEqual(expected)
  })

  test.each([
    ['runtime/default', { type: 'RuntimeDefault' }],
    ['unconfined', { type: 'Unconfined' }],
    ['localhost/mine', { type: 'Localhost', path: 'mine' }],
    ['nonsense', undefined],
  ])('the older annotation for AppArmor: %s', (text, expected) => {
    const annotations = { 'container.apparmor.security.beta.kubernetes.io/web': text }
    const { spec } = readPod(pod('web', { annotations }), null)
    const [web] = spec?.containers ?? []
    expect(web && containerSecurity(web.of, spec?.of.securityContext ?? never()).apparmor).toEqual(expected)
  })

  test('one privileged container makes a privileged sandbox', () => {
    expect(sandboxSecurity(parsed({ privileged: true }, {}).spec)).toEqual({ privileged: true })
    expect(sandboxSecurity(parsed({}, { runAsUser: 3 }).spec)).toEqual({ runAsUser: 3 })
  })
})

describe('who must not be root', () => {
  test.each<
    [
      string,
      Record<string, unknown>,
      Record<string, unknown>,
      Parameters<typeof rootFault>[2]['imageUser'],
      string | undefined,
    ]
  >([
    ['nobody minds', {}, {}, undefined, undefined],
    ['it is a user by number', { runAsNonRoot: true, runAsUser: 1 }, {}, undefined, undefined],
    ['it is root by number', { runAsNonRoot: true, runAsUser: 0 }, {}, undefined, 'breaks non-root policy'],
    ['its pod minds', {}, { runAsNonRoot: true }, undefined, 'image will run as root'],
    ['the image is root', { runAsNonRoot: true }, {}, { uid: 0 }, 'image will run as root'],
    ['the image is not', { runAsNonRoot: true }, {}, { uid: 7 }, undefined],
    ['the image names somebody', { runAsNonRoot: true }, {}, { name: 'app' }, 'non-numeric user (app)'],
    ['it does not mind, its pod does', { runAsNonRoot: false }, { runAsNonRoot: true }, { uid: 0 }, undefined],
  ])('%s', (_name, own, pod, imageUser, fault) => {
    const { container, spec } = parsed(own, pod)
    const found = rootFault(container, spec.securityContext, { imageUser, where: 'here' })
    if (fault === undefined) expect(found).toBeUndefined()
    else expect(found).toContain(fault)
  })

  test('the image is asked only where it decides', () => {
    const asks = (own: Record<string, unknown>) => {
      const { container, spec } = parsed(own, {})
      return dependsOnImageUser(container, spec.securityContext)
    }
    expect([asks({}), asks({ runAsNonRoot: true }), asks({ runAsNonRoot: true, runAsUser: 1 })]).toEqual([
      false,
      true,
      false,
    ])
  })
})
