import { BlockList, isIP } from 'node:net'
import type { NodeReport } from '@kedge/shared/reports'
import { conditionsIn } from '../kube/conditions.ts'
import { isJson, type Json } from '../kube/merge-patch.ts'
import { allowed } from './node-object.ts'

/** What a node has a word in of its own `Node.status`, as a kubelet has; what a controller or cloudcore says is theirs. */
const ownFields: ReadonlySet<string> = new Set([
  ...['capacity', 'allocatable', 'conditions', 'addresses', 'nodeInfo', 'images', 'features', 'runtimeHandlers'],
  'volumesInUse',
])

/** What only cloudcore can know: a node that is locked must not say that it isn't. */
const cloudConditions: ReadonlySet<string> = new Set(['Connected', 'LinkSecure', 'IdentityLocked'])

/** Conditions that a node may have, and addresses. */
const most = 64

/**
 * Addresses at which the API server would reach itself, or what hands out credentials on many clouds: whoever asks for the
 * logs of a pod would be led there.
 */
const nowhere = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const) {
  nowhere.addSubnet(network, prefix, 'ipv4')
}
nowhere.addAddress('::', 'ipv6')
nowhere.addAddress('::1', 'ipv6')
nowhere.addSubnet('fe80::', 10, 'ipv6')
nowhere.addSubnet('ff00::', 8, 'ipv6')

export interface Heard {
  report: NodeReport
  /** What the node has no word in, or says in no shape that Kubernetes knows: field, name or address. */
  unheard: string[]
}

/**
 * What of a report a node may say of itself (NodeRestriction, and what is cloudcore's own word). `isOther` tells names of
 * other nodes. Pure.
 */
export function heard(report: NodeReport, isOther: (name: string) => boolean): Heard {
  const unheard: string[] = []
  const status: Json = {}
  for (const [field, value] of Object.entries(report.status)) {
    if (ownFields.has(field)) status[field] = value
    else unheard.push(`status.${field}`)
  }
  const kept = <T>(items: T[], fault: (item: T) => string | undefined) =>
    items.filter((item, index) => {
      const found = index < most ? fault(item) : `${items.length} of ${most}`
      if (found !== undefined) unheard.push(found)
      return found === undefined
    })
  if (status.conditions !== undefined) {
    status.conditions = kept(conditionsIn(status), ({ type }) =>
      cloudConditions.has(type) ? `condition ${type}` : undefined,
    )
  }
  if (Array.isArray(status.addresses)) {
    status.addresses = kept(status.addresses as unknown[], (address) => addressFault(address, isOther))
  }
  const labels = allowed(report.labels)
  for (const name of Object.keys(report.labels)) if (labels[name] === undefined) unheard.push(`label ${name}`)
  return { report: { ...report, labels, status }, unheard: [...new Set(unheard)].sort() }
}

/** What is wrong with an address, or undefined. */
function addressFault(value: unknown, isOther: (name: string) => boolean): string | undefined {
  if (!isJson(value) || typeof value.address !== 'string' || typeof value.type !== 'string') return 'an address'
  const { address, type } = value
  const shown = `address ${type} ${address.slice(0, 64)}`
  if (type === 'InternalIP' || type === 'ExternalIP') return isUsable(address) ? undefined : shown
  return address.length > 253 || isIP(address) !== 0 || isOther(address) ? shown : undefined
}

function isUsable(address: string): boolean {
  const version = isIP(address)
  return version !== 0 && !nowhere.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
