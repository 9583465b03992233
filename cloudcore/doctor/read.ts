import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { explain } from '@kedge/shared/errors'
import { type Certificate, readCertificates } from '@kedge/shared/identity/certificate'
import { presentedBy } from '@kedge/shared/identity/presented'
import { verifyChain } from '@kedge/shared/identity/verify'
import type { KubeObject } from '@kedge/shared/objects'
import type { Env } from '@kedge/shared/settings'
import { withKube } from '../cli/kube-access.ts'
import { readTrust } from '../identity/home.ts'
import { conditionOf } from '../kube/conditions.ts'
import { isEdgeNode } from '../kube/trim.ts'
import { type CloudcoreSettings, linkPortOf } from '../settings.ts'
import type { KubeFacts, LinkFacts, NodeFacts } from './judge.ts'

/** The facts of a cloudcore; each may throw. */

export interface CloudFound {
  values: CloudcoreSettings
  data: string
  pid: number | undefined
  env: Env
}

/** What `/readyz` says, or why it says nothing. */
export async function readReady({ values, pid }: CloudFound, signal: AbortSignal) {
  const address = values.metricsAddress
  if (pid === undefined || !address || address.port === 0) return { pid, waitsFor: undefined, silence: undefined }
  try {
    const response = await fetch(`http://${reachable(address.host)}:${address.port}/readyz`, { signal })
    const text = await response.text()
    return { pid, waitsFor: response.ok ? '' : text.trim().replaceAll('\n', ', '), silence: undefined }
  } catch (error) {
    return { pid, waitsFor: undefined, silence: explain(error) }
  }
}

/** Where something that listens on `host` is reached from the same machine. */
export function reachable(host: string): string {
  const own = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? host
  return isIP(own) === 6 ? `[${own}]` : own
}

/** How commands reach the Kubernetes of this cloudcore. */
export function accessOf({ values, data }: Pick<CloudFound, 'values' | 'data'>) {
  const kubeconfig = values.standalone ? values.writeKubeconfig : values.kubeconfig
  return kubeconfig === undefined ? { data } : { kubeconfig }
}

/** With Kubernetes as this cloudcore has it. */
export function withIts<T>({ values, data, env }: CloudFound, work: Parameters<typeof withKube<T>>[2]): Promise<T> {
  return withKube(accessOf({ values, data }), values.standalone ? {} : env, work)
}

export async function readKube(found: CloudFound): Promise<KubeFacts> {
  if (found.values.standalone && found.pid === undefined) return { asked: false }
  try {
    const { items } = await withIts(found, (kube) => kube.list('/api/v1/nodes'))
    return { asked: true, nodes: items.filter(isEdgeNode).map(nodeFacts) }
  } catch (error) {
    return { asked: true, fault: explain(error) }
  }
}

/** Of these, the status `False` says that something is wrong. */
const telling = ['StorageHealthy', 'CertificateValid', 'ClockSynced', 'LinkSecure'] as const

function nodeFacts({ metadata, status }: KubeObject): NodeFacts {
  const { nodeInfo } = (status ?? {}) as { nodeInfo?: { kubeletVersion?: string } }
  const faults = telling.flatMap((type) => {
    const condition = conditionOf(status, type)
    return condition?.status === 'False' ? [`${type}: ${condition.message ?? condition.reason ?? ''}`] : []
  })
  const connected = conditionOf(status, 'Connected')?.status === 'True'
  return { name: metadata.name, version: nodeInfo?.kubeletVersion ?? 'unknown', connected, faults }
}

/** What the link shows to one who connects, judged by what boards trust. No word is said on that connection. */
export async function readLink(found: CloudFound, now: number, signal: AbortSignal): Promise<LinkFacts> {
  const { values, pid } = found
  if (values.linkPlain) return { plain: true, now }
  if (pid === undefined || values.linkBroker !== undefined || values.linkPort === 0) return { plain: false, now }
  const trust = await withIts(found, readTrust)
  if (trust === undefined)
    return { plain: false, now, fault: 'nobody has been told yet where boards are to connect to' }
  const roots = readCertificates(trust.roots)
  const host = hostIn(trust.address)
  try {
    const presented = await shownBy(values.linkHost, linkPortOf(values), host, signal)
    const verdict = verifyChain({ presented, roots, at: now, use: 'server', host })
    const ends = presented[0]?.notAfter ?? now
    return { plain: false, host, verdict, ends, rootsEnd: Math.min(...roots.map(({ notAfter }) => notAfter)), now }
  } catch (error) {
    return { plain: false, now, fault: `the link does not answer: ${explain(error)}` }
  }
}

function hostIn(address: string): string {
  return new URL(`mqtts://${address}`).hostname.replace(/^\[(.*)\]$/, '$1')
}

function shownBy(linkHost: string, port: number, name: string, signal: AbortSignal): Promise<Certificate[]> {
  const host = reachable(linkHost).replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve, reject) => {
    // Judged by hand: here it is only looked at.
    const socket = connect({ host, port, rejectUnauthorized: false, ...(isIP(name) > 0 ? {} : { servername: name }) })
    const stop = () => socket.destroy(new Error('stopped'))
    signal.addEventListener('abort', stop, { once: true })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', stop)
      try {
        resolve(presentedBy(socket))
      } catch (error) {
        reject(error)
      }
      socket.destroy()
    })
  })
}
