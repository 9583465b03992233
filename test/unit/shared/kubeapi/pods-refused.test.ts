import { describe, expect, it } from 'vitest'
import { builtIn, created, told } from '../../../support/kinds.ts'

const kind = builtIn('Pod')
const web = { name: 'web', image: 'nginx:1.27' }
const podOf = (spec: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  created(kind, { spec: { containers: [web], ...spec }, ...more })

const refused: [string, Record<string, unknown>, string[]][] = [
  ['no containers', { containers: [] }, ['spec.containers: Required value']],
  ['a container without a name', { containers: [{ image: 'i' }] }, ['spec.containers[0].name: Required value']],
  ['a container without an image', { containers: [{ name: 'a' }] }, ['spec.containers[0].image: Required value']],
  [
    'a blank image',
    { containers: [{ name: 'a', image: ' i' }] },
    ['spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace'],
  ],
  ['two containers of one name', { containers: [web, web] }, ['spec.containers[1].name: Duplicate value: "web"']],
  [
    'an init container of the same name',
    { initContainers: [web] },
    ['spec.initContainers[0].name: Duplicate value: "web"'],
  ],
  [
    'an unknown restart policy',
    { restartPolicy: 'Sometimes' },
    ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
  ],
  [
    'a mount without a volume',
    { containers: [{ ...web, volumeMounts: [{ name: 'v', mountPath: '/v' }] }] },
    ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
  ],
  [
    'two mounts at one path',
    {
      volumes: [{ name: 'v' }],
      containers: [
        {
          ...web,
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        },
      ],
    },
    ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique'],
  ],
  [
    'a path out of the volume',
    {
      volumes: [{ name: 'v' }],
      containers: [{ ...web, volumeMounts: [{ name: 'v', mountPath: '/v', subPath: '../x' }] }],
    },
    [`spec.containers[0].volumeMounts[0].subPath: Invalid value: "../x": must not contain '..'`],
  ],
  [
    'two volumes of one name',
    { volumes: [{ name: 'v' }, { name: 'v' }] },
    ['spec.volumes[1].name: Duplicate value: "v"'],
  ],
  [
    'a volume of two kinds',
    { volumes: [{ name: 'v', emptyDir: {}, configMap: { name: 'c' } }] },
    ['spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    'a secret volume without a name',
    { volumes: [{ name: 'v', secret: {} }] },
    ['spec.volumes[0].secret.secretName: Required value'],
  ],
  [
    'a mode beyond 0777',
    { volumes: [{ name: 'v', configMap: { name: 'c', defaultMode: 1000 } }] },
    [
      'spec.volumes[0].configMap.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive',
    ],
  ],
  [
    'a host path with ..',
    { volumes: [{ name: 'v', hostPath: { path: '/a/../b' } }] },
    [`spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain '..'`],
  ],
  [
    'a port out of range',
    { containers: [{ ...web, ports: [{ containerPort: 70000 }] }] },
    ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
  ],
  [
    'two ports of one name',
    {
      containers: [
        {
          ...web,
          ports: [
            { name: 'a', containerPort: 1 },
            { name: 'a', containerPort: 2 },
          ],
        },
      ],
    },
    ['spec.containers[0].ports[1].name: Duplicate value: "a"'],
  ],
  [
    'a host port twice',
    {
      containers: [
        {
          ...web,
          ports: [
            { containerPort: 1, hostPort: 1 },
            { containerPort: 2, hostPort: 1 },
          ],
        },
      ],
    },
    ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//1"'],
  ],
  [
    'a protocol',
    { containers: [{ ...web, ports: [{ containerPort: 1, protocol: 'HTTP' }] }] },
    ['spec.containers[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [
    'a variable without a name',
    { containers: [{ ...web, env: [{ value: 'x' }] }] },
    ['spec.containers[0].env[0].name: Required value'],
  ],
  [
    'a variable with two values',
    { containers: [{ ...web, env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'a' } } }] }] },
    ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
  ],
  [
    'more requested than allowed',
    { containers: [{ ...web, resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] },
    ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
  ],
  [
    'a probe without a handler',
    { containers: [{ ...web, livenessProbe: {} }] },
    ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
  ],
  [
    'a probe of an init container',
    { initContainers: [{ name: 'i', image: 'i', livenessProbe: { exec: {} } }] },
    [
      'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
  ],
  [
    'a liveness threshold',
    { containers: [{ ...web, livenessProbe: { exec: { command: ['x'] }, successThreshold: 2 } }] },
    ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
  ],
  [
    'no grace',
    { terminationGracePeriodSeconds: -1 },
    ['spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'no deadline',
    { activeDeadlineSeconds: 0 },
    ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
  ],
  [
    'a value with Exists',
    { tolerations: [{ key: 'a', operator: 'Exists', value: 'b' }] },
    ['spec.tolerations[0].operator: Invalid value: "b": value must be empty when `operator` is \'Exists\''],
  ],
  [
    'an alias that is no address',
    { hostAliases: [{ ip: 'here', hostnames: ['a'] }] },
    ['spec.hostAliases[0].ip: Invalid value: "here": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    'no name servers',
    { dnsPolicy: 'None' },
    ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
  ],
]

describe('pods that are refused', () => {
  it.each(refused)('%s', (_, spec, expected) => expect(told(podOf(spec))).toEqual(expected))

  it('one without a spec', () => expect(told(created(kind, {}))).toEqual(['spec.containers: Required value']))
})
