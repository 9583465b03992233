import { rfc3339 } from '@kedge/shared/clock'
import { fail, ok, skip, type Verdict, warn } from '@kedge/shared/doctor/check'
import type { Verdict as ChainVerdict } from '@kedge/shared/identity/verify'

/** Judgements on what a cloudcore has. Pure. */

export interface RunFacts {
  pid: number | undefined
  /** What `/readyz` says: empty when ready; undefined when it is not served. */
  waitsFor: string | undefined
  /** Why there was no answer. */
  silence: string | undefined
  version: string
}

export function judgeRun({ pid, waitsFor, silence, version }: RunFacts): Verdict {
  if (pid === undefined) return warn(`cloudcore ${version} does not run`, 'systemctl start cloudcore, or cloudcore')
  const runs = `cloudcore runs as process ${pid}`
  if (silence !== undefined) return fail(`${runs} and does not answer: ${silence}`, 'see its log')
  if (waitsFor === undefined) return ok(`${runs}; its metrics are off, so it cannot be asked`)
  return waitsFor === '' ? ok(`${runs}, ready`) : warn(`${runs} and waits for ${waitsFor}`, 'see its log')
}

export interface KubeFacts {
  /** Undefined when nobody can be asked yet: the embedded API of a cloudcore that does not run. */
  asked: boolean
  /** Why it does not answer. */
  fault?: string | undefined
  /** Of each edge node: what Kubernetes knows of it. */
  nodes?: readonly NodeFacts[]
}

export interface NodeFacts {
  name: string
  /** As `kubectl get nodes` shows it: `v1.32.0-kedge-0.1.0`. */
  version: string
  connected: boolean
  /** Conditions that say that something is wrong. */
  faults: readonly string[]
}

export function judgeKube({ asked, fault, nodes = [] }: KubeFacts): Verdict {
  if (!asked) return skip('the embedded API runs with cloudcore')
  if (fault !== undefined) {
    return fail(`Kubernetes does not answer: ${fault}`, 'see whether kubectl get nodes works with the same kubeconfig')
  }
  return ok(`Kubernetes answers, ${nodes.length} edge ${nodes.length === 1 ? 'node' : 'nodes'}`)
}

/** So many nodes are told of one by one. */
const mostNodes = 10

/** Nodes that are away, of another version than this one, or have something to say. */
export function judgeNodes({ nodes }: KubeFacts, version: string): Verdict[] {
  if (nodes === undefined) return [skip('nobody to ask')]
  const away = nodes.filter(({ connected }) => !connected).map(({ name }) => name)
  const other = nodes.filter((node) => versionOf(node) !== version)
  const verdicts = nodes
    .filter(({ faults }) => faults.length > 0)
    .slice(0, mostNodes)
    .map(({ name, faults }) => warn(`${name}: ${faults.join('; ')}`, `on it: edgecore doctor`))
  if (away.length > 0) {
    verdicts.push(warn(`not connected: ${some(away)}`, 'on them: edgecore doctor, which says why'))
  }
  if (other.length > 0) {
    const found = `not of version ${version}: ${some(other.map((node) => `${node.name} (${versionOf(node)})`))}`
    verdicts.push(warn(found, 'upgrade them when it suits; a cloudcore speaks with older and newer nodes'))
  }
  return verdicts.length > 0
    ? verdicts
    : [ok(nodes.length === 0 ? 'none has joined' : 'all connected, all of this version')]
}

function versionOf({ version }: NodeFacts): string {
  return version.replace(/^.*-kedge-/, '')
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, mostNodes).join(', ')
  return names.length > mostNodes ? `${shown} and ${names.length - mostNodes} more` : shown
}

export interface LinkFacts {
  plain: boolean
  /** The name that boards use. */
  host?: string
  /** What the link shows, judged as a board would. */
  verdict?: ChainVerdict
  /** When the shown certificate ends, and the first of the authorities; milliseconds since the epoch. */
  ends?: number
  rootsEnd?: number
  now: number
  fault?: string
}

const day = 86_400_000

/** Whether boards would believe what the link shows. */
export function judgeLink({ plain, host, verdict, ends, rootsEnd, now, fault }: LinkFacts): Verdict[] {
  if (plain)
    return [
      warn('plain: nothing is encrypted, and whoever says that it is a node is believed', 'leave --link-plain out'),
    ]
  if (fault !== undefined) return [fail(fault, 'see the log of cloudcore')]
  if (verdict === undefined) return [skip('it is not served now')]
  if (!verdict.ok)
    return [
      fail(`boards would refuse it as ${host}: ${verdict.reason}`, 'see --link-names, --link-tls-cert and the clock'),
    ]
  const found = `boards reach it as ${host}; its certificate ends at ${rfc3339(ends ?? now)}`
  const first =
    (ends ?? 0) < now + 2 * day ? warn(found, 'it should have been renewed: see the log of cloudcore') : ok(found)
  if (rootsEnd === undefined || rootsEnd > now + 90 * day) return [first]
  return [
    first,
    warn(`an authority of the link ends at ${rfc3339(rootsEnd)}`, 'cloudcore ca list, and cloudcore ca rotate'),
  ]
}
