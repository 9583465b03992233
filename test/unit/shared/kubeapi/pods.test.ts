import { qosClass } from '@kedge/shared/kubeapi/qos'
import { asArray } from '@kedge/shared/kubeapi/schema'
import { admit } from '@kedge/shared/kubeapi/validate'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, it } from 'vitest'
import { builtIn, created, told } from '../../../support/kinds.ts'

const kind = builtIn('Pod')
const web = { name: 'web', image: 'nginx:1.27' }
const podOf = (spec: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  created(kind, { spec: { containers: [web], ...spec }, ...more })
const withContainer = (more: Record<string, unknown>) => podOf({ containers: [{ ...web, ...more }] })
const containerOf = ({ object }: { object: KubeObject }) => asArray(object.spec?.containers)[0]

describe('defaults of pods', () => {
  it('are those of API servers', () => {
    expect(podOf({}).object).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'x', namespace: 'default', generation: 1 },
      spec: {
        containers: [
          {
            ...web,
            imagePullPolicy: 'IfNotPresent',
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            resources: {},
          },
        ],
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        dnsPolicy: 'ClusterFirst',
        schedulerName: 'default-scheduler',
        enableServiceLinks: true,
        securityContext: {},
      },
      status: { phase: 'Pending', qosClass: 'BestEffort' },
    })
  })

  it.each([
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.27', 'IfNotPresent'],
    ['registry:5000/nginx', 'Always'],
    ['registry:5000/nginx:1.27', 'IfNotPresent'],
    ['nginx@sha256:0123', 'IfNotPresent'],
  ])('pull %s: %s', (image, policy) =>
    expect(containerOf(withContainer({ image }))).toMatchObject({ imagePullPolicy: policy }),
  )

  it.each([
    [{ ports: [{ containerPort: 80 }] }, { ports: [{ containerPort: 80, protocol: 'TCP' }] }],
    [
      { livenessProbe: { httpGet: { port: 80 } } },
      {
        livenessProbe: {
          httpGet: { port: 80, path: '/', scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
      },
    ],
    [
      { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } } },
      { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } } },
    ],
    [
      { env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] },
      { env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP', apiVersion: 'v1' } } }] },
    ],
  ])('of a container with %j', (given, expected) => expect(containerOf(withContainer(given))).toMatchObject(expected))

  it('of volumes', () => {
    const volumes = [
      { name: 'a' },
      { name: 'b', configMap: { name: 'c' } },
      { name: 'c', secret: { secretName: 's', defaultMode: 0o400 } },
      { name: 'd', hostPath: { path: '/dev' } },
      { name: 'e', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
    ]
    expect(podOf({ volumes }).object.spec?.volumes).toEqual([
      { name: 'a', emptyDir: {} },
      { name: 'b', configMap: { name: 'c', defaultMode: 420 } },
      { name: 'c', secret: { secretName: 's', defaultMode: 256 } },
      { name: 'd', hostPath: { path: '/dev', type: '' } },
      {
        name: 'e',
        projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }] },
      },
    ])
  })

  it('quantities take one form', () => {
    const resources = { limits: { cpu: 0.5, memory: '1024Mi' } }
    const kept = { cpu: '500m', memory: '1Gi' }
    expect(containerOf(withContainer({ resources }))).toMatchObject({ resources: { limits: kept, requests: kept } })
  })

  it('of the host network and the account', () => {
    const { object } = podOf({
      hostNetwork: true,
      serviceAccount: 'robot',
      containers: [{ ...web, ports: [{ containerPort: 80 }] }],
    })
    expect(object.spec).toMatchObject({ serviceAccountName: 'robot', serviceAccount: 'robot' })
    expect(object.spec).toMatchObject({
      containers: [{ ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] }],
    })
  })

  it('a pod with gates is not scheduled', () => {
    expect(podOf({ schedulingGates: [{ name: 'a.b/c' }] }).object.status).toMatchObject({
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
    })
  })

  it('what a client says of the status is not taken', () => {
    expect(podOf({}, { status: { phase: 'Running' } }).object.status?.phase).toBe('Pending')
  })

  it.each([
    [{}, 'BestEffort'],
    [{ limits: { 'example.com/gpu': 1 } }, 'BestEffort'],
    [{ requests: { cpu: '1' } }, 'Burstable'],
    [{ requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '2Gi' } }, 'Burstable'],
    [{ requests: { cpu: '1000m', memory: '1024Mi' }, limits: { cpu: 1, memory: '1Gi' } }, 'Guaranteed'],
  ])('resources %j make it %s', (resources, expected) =>
    expect(qosClass({ containers: [{ resources }] })).toBe(expected),
  )

  it('one container without resources is enough not to be guaranteed', () => {
    const limits = { cpu: '1', memory: '1Gi' }
    expect(qosClass({ containers: [{ resources: { limits, requests: limits } }, {}] })).toBe('Burstable')
  })
})

/** [what, spec, causes] */
describe('fields that are not known', () => {
  it('are pruned and named', () => {
    const { object, unknown, causes } = podOf(
      { containers: [{ ...web, imagePullPolicies: 'x', ports: [{ port: 1, containerPort: 80 }] }], replicas: 3 },
      { foo: 1 },
    )
    expect(unknown).toEqual([
      'spec.containers[0].imagePullPolicies',
      'spec.containers[0].ports[0].port',
      'spec.replicas',
      'foo',
    ])
    expect(causes).toEqual([])
    expect(JSON.stringify(object)).not.toMatch(/imagePullPolicies|replicas|foo|"port"/)
  })

  it('are kept where Kedge does not describe them', () => {
    const iscsi = { targetPortal: 'a', iqn: 'b', lun: 0 }
    const { object, unknown } = podOf({ volumes: [{ name: 'v', iscsi }] })
    expect(unknown).toEqual([])
    expect(object.spec?.volumes).toEqual([{ name: 'v', iscsi }])
  })
})

describe('a rich manifest', () => {
  it('passes unchanged but for defaults', () => {
    const spec = {
      initContainers: [
        {
          name: 'init',
          image: 'busybox:1',
          command: ['sh', '-c', 'true'],
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
        { name: 'proxy', image: 'proxy:1', restartPolicy: 'Always', startupProbe: { tcpSocket: { port: 'http' } } },
      ],
      containers: [
        {
          ...web,
          args: ['--x'],
          workingDir: '/srv',
          env: [
            { name: 'A', value: 'b' },
            { name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
            { name: 'M', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } },
          ],
          envFrom: [{ prefix: 'P_', configMapRef: { name: 'c' } }],
          ports: [
            { name: 'http', containerPort: 8080, hostPort: 80 },
            { name: 'dns', containerPort: 53, protocol: 'UDP' },
          ],
          resources: { limits: { cpu: '500m', memory: '64Mi' } },
          lifecycle: { preStop: { exec: { command: ['sync'] } }, postStart: { httpGet: { port: 'http' } } },
          readinessProbe: { grpc: { port: 9 }, initialDelaySeconds: 3 },
          securityContext: {
            privileged: true,
            capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
            runAsUser: 0,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          volumeMounts: [
            { name: 'data', mountPath: '/data', subPath: 'a/b', readOnly: true },
            { name: 'conf', mountPath: '/etc/conf' },
            { name: 'dev', mountPath: '/dev/i2c' },
          ],
          tty: true,
        },
      ],
      volumes: [
        { name: 'data', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
        { name: 'conf', configMap: { name: 'c', items: [{ key: 'a', path: 'b/a', mode: 0o444 }], optional: true } },
        { name: 'dev', hostPath: { path: '/dev/i2c-1', type: 'CharDevice' } },
        { name: 'pvc', persistentVolumeClaim: { claimName: 'p' } },
        { name: 'down', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      ],
      nodeSelector: { 'kubernetes.io/hostname': 'edge-1' },
      nodeName: 'edge-1',
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }],
          },
        },
      },
      tolerations: [
        { operator: 'Exists' },
        { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
      ],
      hostNetwork: false,
      dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '2' }] },
      hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }],
      securityContext: { fsGroup: 1000, sysctls: [{ name: 'net.core.somaxconn', value: '1' }] },
      imagePullSecrets: [{ name: 'reg' }],
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
      readinessGates: [{ conditionType: 'example.com/up' }],
      shareProcessNamespace: true,
      priorityClassName: 'high',
      os: { name: 'linux' },
    }
    const { object, causes, unknown, warnings, malformed } = podOf(spec)
    expect({ causes, unknown, warnings, malformed }).toEqual({
      causes: [],
      unknown: [],
      warnings: [],
      malformed: undefined,
    })
    expect(object.spec).toMatchObject(spec)
  })

  it('is told of a variable that hides another', () => {
    expect(withContainer({ env: [{ name: 'A' }, { name: 'A' }] }).warnings).toEqual([
      'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    ])
  })
})

const stored = podOf({
  tolerations: [{ key: 'a', operator: 'Exists' }],
  activeDeadlineSeconds: 100,
  schedulingGates: [{ name: 'a.b/c' }],
}).object
const update = (change: (pod: Record<string, Record<string, unknown>>) => void, subresource?: string) => {
  const object = structuredClone(stored) as unknown as Record<string, Record<string, unknown>>
  change(object)
  return admit({ kind, operation: 'update', subresource, object, old: stored })
}
const spec = (change: Record<string, unknown>) => (pod: Record<string, Record<string, unknown>>) => {
  Object.assign(pod.spec as object, change)
}

describe('updates of pods', () => {
  it.each([
    ['nothing', {}, 1],
    ['an image', { containers: [{ ...web, image: 'nginx:1.28' }] }, 2],
    [
      'more tolerations',
      {
        tolerations: [
          { key: 'a', operator: 'Exists' },
          { key: 'b', operator: 'Exists' },
        ],
      },
      2,
    ],
    ['a shorter deadline', { activeDeadlineSeconds: 50 }, 2],
    ['a gate that goes', { schedulingGates: null }, 2],
  ])('may change %s', (_, change, generation) => {
    const admitted = update(spec(change))
    expect(told(admitted)).toEqual([])
    expect(admitted.object.metadata.generation).toBe(generation)
  })

  it.each([
    [
      'a variable',
      { containers: [{ ...web, env: [{ name: 'A', value: 'b' }] }] },
      /^spec: Forbidden: pod updates may not change fields other than/,
    ],
    [
      'the node',
      { nodeName: 'edge-2' },
      /^spec: Forbidden: pod updates may not change fields other than[\s\S]*spec\.nodeName: unset -> "edge-2"/,
    ],
    [
      'the number of containers',
      { containers: [web, { ...web, name: 'b' }] },
      /^spec\.containers: Forbidden: pod updates may not add or remove containers$/,
    ],
    [
      'a toleration',
      { tolerations: [{ key: 'b', operator: 'Exists' }] },
      /^spec\.tolerations: Forbidden: existing toleration can not be modified/,
    ],
    [
      'the deadline to a later one',
      { activeDeadlineSeconds: 200 },
      /^spec\.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value$/,
    ],
    ['the deadline to none', { activeDeadlineSeconds: null }, /must not update from a positive integer to nil value$/],
    ['a gate that comes', { schedulingGates: [{ name: 'a.b/c' }, { name: 'd.e/f' }] }, /^spec: Forbidden/],
  ])('may not change %s', (_, change, message) => {
    const faults = told(update(spec(change)))
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(message)
  })

  it('leave the status, which has a place of its own', () => {
    const both = (pod: Record<string, Record<string, unknown>>) => {
      Object.assign(pod.spec as object, { activeDeadlineSeconds: 50 })
      Object.assign(pod.metadata as object, { labels: { a: 'b' } })
      pod.status = { phase: 'Running' }
    }
    const whole = update(both).object
    expect(whole.status).toEqual(stored.status)
    expect(whole.spec?.activeDeadlineSeconds).toBe(50)
    const status = update(both, 'status').object
    expect(status.status).toMatchObject({ phase: 'Running' })
    expect(status.spec).toEqual(stored.spec)
    expect(status.metadata).toMatchObject({ labels: { a: 'b' }, generation: 1 })
  })
})

describe('bindings', () => {
  const bind = (object: unknown, old = stored) =>
    admit({ kind, operation: 'create', subresource: 'binding', object, old, now: '2026-01-01T00:00:00Z' })

  it('give the pod its node', () => {
    const { object, causes } = bind({
      metadata: { name: 'x', annotations: { a: 'b' } },
      target: { kind: 'Node', name: 'edge-1' },
    })
    expect(causes).toEqual([])
    expect(object.spec?.nodeName).toBe('edge-1')
    expect(object.metadata.annotations).toEqual({ a: 'b' })
    expect(object.status?.conditions).toEqual([
      { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' },
    ])
  })

  it('are refused when the pod has one, or is going', () => {
    const target = { kind: 'Node', name: 'edge-2' }
    expect(bind({ target }, { ...stored, spec: { ...stored.spec, nodeName: 'edge-1' } }).conflict).toBe(
      'pod x is already assigned to node "edge-1"',
    )
    const going = { ...stored, metadata: { ...stored.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
    expect(bind({ target }, going).conflict).toMatch(/is being deleted/)
  })

  it.each([
    [{}, ['target: Required value: a Binding names its node, {"target": {"kind": "Node", "name": …}}']],
    [{ target: { kind: 'Node' } }, ['target.name: Required value']],
    [
      { target: { kind: 'Pod', name: 'x' } },
      ['target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"'],
    ],
  ])('%j', (object, expected) => expect(told(bind(object))).toEqual(expected))
})
