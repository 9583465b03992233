/** Topic grammar of the cloud link. The device topics are in `device-topics.ts`. */

/** A Kubernetes node name: a DNS-1123 subdomain, so never a wildcard and never a slash. */
const nodeNamePattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

export function isNodeName(text: string): boolean {
  return text.length <= 253 && nodeNamePattern.test(text)
}

/** `up`: edge to cloud frames. `down`: cloud to edge frames. `alive`: retained presence, with a last will. */
export type Channel = 'up' | 'down' | 'alive'

const prefix = 'kedge/v1/'

export function linkTopic(node: string, channel: Channel): string {
  return `${prefix}${node}/${channel}`
}

/** The subscription that receives `channel` of every node. */
export function linkFilter(channel: Channel): string {
  return `${prefix}+/${channel}`
}

export function parseLinkTopic(topic: string): { node: string; channel: Channel } | undefined {
  if (!topic.startsWith(prefix)) return undefined
  const [node, channel, ...rest] = topic.slice(prefix.length).split('/')
  if (node === undefined || rest.length > 0 || !isNodeName(node)) return undefined
  if (channel !== 'up' && channel !== 'down' && channel !== 'alive') return undefined
  return { node, channel }
}
