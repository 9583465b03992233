import { readPod } from '@kedge/edgecore/pods/spec'
import { unsupportedOf } from '@kedge/edgecore/pods/unsupported'
import { describe, expect, test } from 'vitest'
import { pod } from '../../../support/pod-node.ts'

function judged(spec: Record<string, unknown>, container?: Record<string, unknown>) {
  const containers = [{ name: 'web', image: 'nginx:1.27', ...container }]
  return unsupportedOf(pod('web', { spec: { containers, ...spec } }))
}

const volume = (source: Record<string, unknown>) => ({ volumes: [{ name: 'v', ...source }] })

describe('what the pod cannot do its work without is refused by name', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['user namespaces', { hostUsers: false }, 'spec.hostUsers'],
    ['Windows', { os: { name: 'windows' } }, 'spec.os'],
    ['claims', { resourceClaims: [{ name: 'gpu' }] }, 'spec.resourceClaims'],
    ['resources of the pod', { resources: { limits: { cpu: '1' } } }, 'spec.resources'],
    ['a runtime class', { runtimeClassName: 'kata' }, 'spec.runtimeClassName'],
    ['gates before scheduling', { schedulingGates: [{ name: 'x' }] }, 'spec.schedulingGates'],
    ['strict groups', { securityContext: { supplementalGroupsPolicy: 'Strict' } }, 'supplementalGroupsPolicy'],
    [
      'a claim of a volume',
      volume({ persistentVolumeClaim: { claimName: 'c' } }),
      'spec.volumes[0].persistentVolumeClaim',
    ],
    ['NFS', volume({ nfs: { server: 's', path: '/' } }), 'spec.volumes[0].nfs'],
    ['CSI', volume({ csi: { driver: 'd' } }), 'spec.volumes[0].csi'],
    ['a source of tomorrow', volume({ wormhole: {} }), 'spec.volumes[0].wormhole'],
    ['no source', volume({}), 'spec.volumes[0]: names no source'],
    ['huge pages', volume({ emptyDir: { medium: 'HugePages' } }), 'spec.volumes[0].emptyDir.medium'],
    [
      'a token of its own',
      volume({ projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }),
      'spec.volumes[0].projected.sources[0].serviceAccountToken',
    ],
  ])('%s', (_name, spec, field) => {
    expect(judged(spec).refused).toEqual([expect.stringContaining(field)])
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['a block device', { volumeDevices: [{ name: 'v', devicePath: '/d' }] }, 'spec.containers[0].volumeDevices'],
    ['a restart policy of its own', { restartPolicy: 'Never' }, 'spec.containers[0].restartPolicy'],
    ['rules of restart', { restartPolicyRules: [{}] }, 'spec.containers[0].restartPolicyRules'],
    ['a signal', { lifecycle: { stopSignal: 'SIGUSR1' } }, 'spec.containers[0].lifecycle.stopSignal'],
    ['a GPU', { resources: { limits: { 'nvidia.com/gpu': 1 } } }, 'the node has no nvidia.com/gpu'],
    [
      'variables in files',
      { env: [{ name: 'A', valueFrom: { fileKeyRef: { key: 'a' } } }] },
      'env[0].valueFrom.fileKeyRef',
    ],
    [
      'read-only all the way down',
      { volumeMounts: [{ name: 'v', recursiveReadOnly: 'Enabled' }] },
      'recursiveReadOnly',
    ],
  ])('%s of a container', (_name, container, field) => {
    expect(judged({}, container).refused).toEqual([expect.stringContaining(field)])
  })
})

describe('what the pod runs without is said by name', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['ephemeral containers', { ephemeralContainers: [{ name: 'debug' }] }, 'spec.ephemeralContainers'],
    ['a bound of a folder on disk', volume({ emptyDir: { sizeLimit: '1Gi' } }), 'spec.volumes[0].emptyDir.sizeLimit'],
    ['a field of tomorrow', { teleport: true }, 'spec.teleport'],
    [
      'the token that Kubernetes adds to every pod',
      { volumes: [{ name: 'kube-api-access-x', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] },
      'serviceAccountToken',
    ],
  ])('%s', (_name, spec, field) => {
    expect(judged(spec)).toEqual({ refused: [], without: [expect.stringContaining(field)] })
  })
})

test('what an API server fills in asks for nothing', () => {
  const filled = judged(
    {
      ...{ hostUsers: true, os: { name: 'linux' }, schedulerName: 'default-scheduler', enableServiceLinks: true },
      ...{ preemptionPolicy: 'PreemptLowerPriority', priority: 0, tolerations: [], serviceAccount: 'default' },
      ...{ securityContext: {}, runtimeClassName: '', resources: {}, ephemeralContainers: [] },
    },
    {
      ...{ resources: { limits: { cpu: '1', memory: '1Gi' } }, terminationMessagePath: '/dev/termination-log' },
      ...{ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] },
    },
  )
  expect(filled).toEqual({ refused: [], without: [] })
})

describe('a pod is refused as a whole', () => {
  test.each<[string, Record<string, unknown>, string, string]>([
    ['what is not supported', { runtimeClassName: 'kata' }, 'Unsupported', 'spec.runtimeClassName'],
    [
      'a sysctl that is not its own',
      { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
      'SysctlForbidden',
      'kernel.msgmax',
    ],
    [
      'a sysctl of the network of the node',
      { hostNetwork: true, securityContext: { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] } },
      'SysctlForbidden',
      'shares it with its node',
    ],
    [
      'a volume that is not there',
      { containers: [{ name: 'web', image: 'i', volumeMounts: [{ name: 'x', mountPath: '/x' }] }] },
      'InvalidPod',
      'the pod has no such volume',
    ],
    [
      'a probe without a handler',
      { containers: [{ name: 'web', image: 'i', livenessProbe: { periodSeconds: 1 } }] },
      'InvalidPod',
      'spec.containers.0.livenessProbe: names no handler',
    ],
    ['a type', { containers: [{ name: 'web', image: 'i', args: 'x' }] }, 'InvalidPod', 'spec.containers.0.args'],
    ['a host name', { setHostnameAsFQDN: true, subdomain: 'x'.repeat(60) }, 'InvalidPod', 'spec.setHostnameAsFQDN'],
  ])('for %s', (_name, spec, reason, message) => {
    expect(readPod(pod('web', { spec }), null).refusal).toEqual({ reason, message: expect.stringContaining(message) })
  })
})
