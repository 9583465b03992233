import { systemClock } from '@kedge/shared/clock'
import { commandLine } from '@kedge/shared/command-line'
import { explain, UserError } from '@kedge/shared/errors'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { age, table } from '@kedge/shared/table'
import { isNodeName } from '@kedge/shared/topics'
import { home } from '../identity/home.ts'
import { identityLabel, type NodeIdentity, readIdentity } from '../identity/records.ts'
import { Registry } from '../identity/registry.ts'
import type { Change } from '../identity/turns.ts'
import type { Kube } from '../kube/api.ts'
import { conditionOf } from '../kube/conditions.ts'
import { hasCode } from '../kube/errors.ts'
import { collectionIn, nodePath } from '../kube/paths.ts'
import { isEdgeNode } from '../kube/trim.ts'
import { accessHelp, accessOptions, type KubeAround, withKube } from './kube-access.ts'

const help = `Usage: cloudcore node list [flags]
       cloudcore node revoke NAME [flags]
       cloudcore node unlock NAME [flags]

list tells who has joined, until when their certificates last and when they were seen. revoke makes all certificates of
a node worthless and ends its connection at once; a board joins in its name again with a token that is made for it
afterwards. unlock lets a node in again that was locked because its identity was in use in two places.

The same with kubectl: the annotations kedge.io/revoked and kedge.io/locked of the Secret node-identity-NAME in the
namespace ${home}.

${accessHelp}`

const hint = 'cloudcore node --help lists all flags'

/** `cloudcore node …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function nodeCommand(argv: readonly string[], { env, now }: KubeAround): Promise<string> {
  const { values, positionals } = commandLine('cloudcore node', argv, accessOptions)
  if (values.help === true) return help
  const [word, name, ...rest] = positionals
  if (word === 'list' && name === undefined) return withKube(values, env, (kube) => list(kube, now))
  if ((word === 'revoke' || word === 'unlock') && name !== undefined && rest.length === 0) {
    if (!isNodeName(name)) throw new UserError(`found "${name}", which is not the name of a node; ${hint}`)
    const work = word === 'revoke' ? revoke : unlock
    return withKube(values, env, (kube) => work(kube, name, now))
  }
  const found = ['node', ...positionals].join(' ')
  throw new UserError(`found "${found}"; the commands are: cloudcore node list, revoke NAME, and unlock NAME; ${hint}`)
}

async function list(kube: Kube, now: number): Promise<string> {
  const selector = { labelSelector: `${identityLabel}=node` }
  const [secrets, nodes] = await Promise.all([
    kube.list(collectionIn('secrets', home), selector),
    kube.list('/api/v1/nodes'),
  ])
  const known = new Map(nodes.items.filter(isEdgeNode).map((node) => [node.metadata.name, node]))
  const identities = new Map(
    secrets.items.flatMap((secret) => {
      const read = readIdentity(secret)
      return read.ok ? [[read.value.node, read.value] as const] : []
    }),
  )
  const names = [...new Set([...identities.keys(), ...known.keys()])].sort()
  const rows = names.map((name) => {
    const identity = identities.get(name)
    return [name, stateOf(identity, now), endOf(identity, now), seen(known.get(name), now), identity?.locked ?? '']
  })
  return table(['NODE', 'IDENTITY', 'CERTIFICATE', 'SEEN', 'REASON'], rows)
}

function stateOf(identity: NodeIdentity | undefined, now: number): string {
  if (identity === undefined) return 'none'
  if (identity.revoked !== undefined) return 'revoked'
  if (identity.locked !== undefined) return 'locked'
  return (identity.issued.at(-1)?.end ?? 0) > now ? 'good' : 'expired'
}

function endOf(identity: NodeIdentity | undefined, now: number): string {
  const end = identity?.issued.at(-1)?.end
  if (end === undefined) return '-'
  return end > now ? `ends in ${age(end - now)}` : `ended ${age(now - end)} ago`
}

function seen(node: KubeObject | undefined, now: number): string {
  const condition = conditionOf(node?.status, 'Connected')
  if (condition === undefined) return 'never'
  if (condition.status === 'True') return 'connected'
  return `${age(now - Date.parse(condition.lastTransitionTime ?? ''))} ago`
}

async function revoke(kube: Kube, node: string, now: number): Promise<string> {
  const exists = await hasNode(kube, node)
  const changed = await change(kube, node, (identity) => {
    if (identity === undefined && !exists) return { is: 'leave', answer: `no node ${node} has joined` }
    const held = identity ?? { node, issued: [], secrets: [], only: true }
    if (held.revoked !== undefined) return { is: 'leave', answer: `node ${node} was revoked at ${held.revoked}` }
    // To the millisecond: a token of before must not let the node back in. Whoever joins later starts with a clean record.
    return { is: 'write', record: { ...held, locked: undefined, revoked: new Date(now).toISOString() } }
  })
  const count = changed.issued.length
  return [
    `node ${node} is revoked: ${count === 1 ? 'its certificate counts' : `its ${count} certificates count`} no more`,
    'A cloudcore that runs ends its connection at once; mosquitto and the like go by cloudcore ca crl.',
    `Its Node and what is bound to it stay: kubectl delete node ${node} removes them.`,
    `To have the node back: cloudcore token create --node ${node}`,
    '',
  ].join('\n')
}

async function unlock(kube: Kube, node: string): Promise<string> {
  await change(kube, node, (identity) => {
    if (identity === undefined) return { is: 'leave', answer: `no node ${node} has joined` }
    if (identity.locked === undefined) {
      const why = identity.revoked === undefined ? '' : `; it is revoked: cloudcore token create --node ${node}`
      return { is: 'leave', answer: `node ${node} is not locked${why}` }
    }
    return { is: 'write', record: { ...identity, locked: undefined } }
  })
  return [
    `node ${node} is unlocked: whoever has its identity may connect again`,
    'If a copy of it is still about, both get in, and the node is locked again. To shut a copy out, let the board join anew:',
    `  cloudcore token create --node ${node}`,
    '',
  ].join('\n')
}

async function change(kube: Kube, node: string, wanted: Change<NodeIdentity, string>): Promise<NodeIdentity> {
  const registry = new Registry({ kube, clock: systemClock, log: silentLog })
  await registry.load('node', node)
  const changed = await registry.changeNode(node, wanted).catch((error: unknown) => {
    throw new UserError(`node ${node}: ${explain(error)}`, { cause: error })
  })
  if (changed.is === 'left') throw new UserError(`${changed.answer}; cloudcore node list names all`)
  return changed.record
}

async function hasNode(kube: Kube, node: string): Promise<boolean> {
  try {
    return isEdgeNode(await kube.get(nodePath(node)))
  } catch (error) {
    if (hasCode(error, 404)) return false
    throw error
  }
}
