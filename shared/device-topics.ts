/**
 * KubeEdge's device topics. A device is named by two levels, `<namespace>/<name>`, or, as KubeEdge did up to 1.16 and
 * most of its examples still do, by its name alone. The levels are counted, never searched for, so that any namespace
 * and any name works, `device` and `twin` too. No action is the tail of another one, so no topic can be read both ways.
 */

const devicePrefix = '$hw/events/device/'
const nodePrefix = '$hw/events/node/'

/** What clients publish. */
export const deviceRequests = ['twin/update', 'twin/get', 'state/update'] as const
/** What edgecore alone publishes. */
export const deviceAnswers = [
  'twin/update/result',
  'twin/update/delta',
  'twin/update/document',
  'twin/get/result',
  'state/update/result',
  'updated',
] as const
const nodeActions = ['membership/get', 'membership/get/result', 'membership/updated'] as const

export type DeviceRequest = (typeof deviceRequests)[number]
export type DeviceAnswer = (typeof deviceAnswers)[number]
export type DeviceAction = DeviceRequest | DeviceAnswer
export type NodeAction = (typeof nodeActions)[number]

/** A device as a topic names it; without a namespace in the one-level form. */
export interface DeviceName {
  namespace: string | undefined
  name: string
}

export type DeviceTopic =
  | ({ of: 'device'; action: DeviceAction } & DeviceName)
  | { of: 'node'; node: string; action: NodeAction }

const actions: ReadonlySet<string> = new Set<DeviceAction>([...deviceRequests, ...deviceAnswers])

/** What edgecore subscribes to at a broker that is not its own; the answers lie outside. */
export const deviceTopicFilters: readonly string[] = [
  `${devicePrefix}+/twin/+`,
  `${devicePrefix}+/+/twin/+`,
  `${devicePrefix}+/state/update`,
  `${devicePrefix}+/+/state/update`,
  `${nodePrefix}+/membership/get`,
]

/** Parses a topic, or returns undefined when it is none of these. */
export function parseDeviceTopic(topic: string): DeviceTopic | undefined {
  if (topic.startsWith(devicePrefix)) return parseDevice(topic.slice(devicePrefix.length))
  if (topic.startsWith(nodePrefix)) return parseNode(topic.slice(nodePrefix.length))
  return undefined
}

function parseDevice(rest: string): DeviceTopic | undefined {
  const [first, tail] = cut(rest)
  const [second, action] = cut(tail)
  if (first && second && isDeviceAction(action)) return { of: 'device', namespace: first, name: second, action }
  if (first && isDeviceAction(tail)) return { of: 'device', namespace: undefined, name: first, action: tail }
  return undefined
}

function parseNode(rest: string): DeviceTopic | undefined {
  const [node, tail] = cut(rest)
  const action = nodeActions.find((each) => each === tail)
  return node && action ? { of: 'node', node, action } : undefined
}

/** The first level and all that follows it. */
function cut(levels: string): [string, string] {
  const at = levels.indexOf('/')
  return at < 0 ? [levels, ''] : [levels.slice(0, at), levels.slice(at + 1)]
}

function isDeviceAction(text: string): text is DeviceAction {
  return actions.has(text)
}

/** Whether only edgecore may publish on a topic of this action. */
export function isAnswer(action: DeviceAction | NodeAction): boolean {
  return action !== 'membership/get' && !(deviceRequests as readonly string[]).includes(action)
}

/** The topic of a device in the form that its name has. */
export function deviceTopic({ namespace, name }: DeviceName, action: DeviceAction): string {
  return namespace === undefined ? `${devicePrefix}${name}/${action}` : `${devicePrefix}${namespace}/${name}/${action}`
}

export function nodeTopic(node: string, action: NodeAction): string {
  return `${nodePrefix}${node}/${action}`
}

/** Whether an MQTT topic filter matches a topic (MQTT 3.1.1, 4.7). */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  // 4.7.2: a wildcard in front does not reach topics that begin with "$".
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false
  for (const [at, level] of wanted.entries()) {
    if (level === '#') return true
    if (at >= levels.length || (level !== '+' && level !== levels[at])) return false
  }
  return wanted.length === levels.length
}
