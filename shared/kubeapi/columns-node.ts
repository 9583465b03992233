import type { KubeObject } from '../objects.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { asArray, asObject } from './schema.ts'

const wide = { priority: 1 }

export const nodeColumns = [
  nameColumn,
  column('Status', 'Whether the node is ready, and whether new pods keep away.', statusText),
  column('Roles', 'From the labels node-role.kubernetes.io/<role>.', rolesText),
  ageColumn,
  column('Version', 'What the node runs.', (object) => info(object, 'kubeletVersion')),
  column('Internal-IP', 'Address inside the cluster.', (object) => address(object, 'InternalIP'), wide),
  column('External-IP', 'Address outside of the cluster.', (object) => address(object, 'ExternalIP'), wide),
  column('OS-Image', 'The operating system.', (object) => info(object, 'osImage') || '<unknown>', wide),
  column('Kernel-Version', 'The kernel.', (object) => info(object, 'kernelVersion') || '<unknown>', wide),
  column(
    'Container-Runtime',
    'What runs the containers.',
    (object) => info(object, 'containerRuntimeVersion') || '<unknown>',
    wide,
  ),
]

function statusText({ spec, status }: KubeObject): string {
  const ready = asArray(status?.conditions)
    .map(asObject)
    .find(({ type }) => type === 'Ready')
  const parts = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady']
  if (spec?.unschedulable === true) parts.push('SchedulingDisabled')
  return parts.join(',')
}

const rolePrefix = 'node-role.kubernetes.io/'

function rolesText({ metadata }: KubeObject): string {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length))
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',')
}

function address({ status }: KubeObject, type: string): string {
  const found = asArray(status?.addresses)
    .map(asObject)
    .find((one) => one.type === type)
  return typeof found?.address === 'string' ? found.address : '<none>'
}

function info({ status }: KubeObject, field: string): string {
  const value = asObject(status?.nodeInfo)[field]
  return typeof value === 'string' ? value : ''
}
