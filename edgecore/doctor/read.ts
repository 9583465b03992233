import { lookup } from 'node:dns/promises'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { systemClock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { verifyChain } from '@kedge/shared/identity/verify'
import { ask } from '../control/client.ts'
import type { Standing } from '../control/server.ts'
import { dial, hostOf, ServerRefused } from '../identity/dial.ts'
import { termOf } from '../identity/identity.ts'
import { judgeServer } from '../identity/judge.ts'
import { findIdentity } from '../identity/keep.ts'
import { readRefusal } from '../identity/last-refusal.ts'
import { cloudAccess } from '../link/access.ts'
import type { CertificateFacts, KernelFacts, Probe, RuntimeFacts } from './judge.ts'

/** The facts of an edge node; each may throw. */

export interface NodeSettings {
  data: string
  cloud?: string | undefined
  cloudTlsCa?: string | undefined
  runtime: string
  runtimeEndpoint?: string | undefined
}

export function readIdentityFacts({ data, cloud }: NodeSettings, now: number): CertificateFacts {
  const { identity, path, faults } = findIdentity(data)
  const about =
    identity === undefined || path === undefined
      ? undefined
      : { node: identity.node, term: termOf(identity), path, mode: statSync(path).mode & 0o777 }
  return { identity: about, faults, refusal: readRefusal(data), cloud: cloudOf({ data, cloud }), now }
}

/** Where the link of this node is, as edgecore finds it. */
export function cloudOf({ data, cloud }: Pick<NodeSettings, 'data' | 'cloud'>): string | undefined {
  if (cloud !== undefined) return cloud
  const { identity } = findIdentity(data)
  return identity?.broker ?? identity?.cloud
}

/** What the edgecore that runs says of itself. Throws when it does not answer. */
export async function readStanding(data: string): Promise<Standing> {
  const { code, body } = await ask(data, '/standing')
  if (code !== 200) throw new Error(`it is of a version without this question (${code})`)
  return body as Standing
}

/**
 * Opens a connection to the cloud and closes it. It shows no certificate and says no name: to cloudcore it is nobody, so a
 * link that is up is not disturbed, and nothing is locked.
 */
export async function probe(settings: NodeSettings, signal: AbortSignal): Promise<Probe | undefined> {
  const url = cloudOf(settings)
  if (url === undefined) return undefined
  const { host, port } = url.startsWith('mqtts:')
    ? hostOf(url)
    : { host: new URL(url).hostname, port: Number(new URL(url).port || 1883) }
  try {
    await lookup(host)
  } catch (error) {
    return { is: 'unresolved', reason: explain(error) }
  }
  const began = performance.now()
  try {
    if (url.startsWith('mqtts:')) return await probeTls(url, settings, signal)
    await reach(host, port, signal)
    return { is: 'reached', ms: performance.now() - began, verified: false }
  } catch (error) {
    if (error instanceof ServerRefused) return { is: 'refused', fault: error.fault, reason: error.reason }
    return { is: 'unreached', reason: explain(error) }
  }
}

async function probeTls(
  url: string,
  { data, cloudTlsCa }: NodeSettings,
  signal: AbortSignal,
): Promise<Probe | undefined> {
  const { identity } = findIdentity(data)
  const pem = `${identity?.roots ?? ''}\n${cloudAccess({ ...(cloudTlsCa && { cloudTlsCa }) }).ca ?? ''}`
  const roots = readCertificates(pem)
  if (roots.length === 0) return undefined
  const floor = identity === undefined ? 0 : termOf(identity).from
  const began = performance.now()
  const socket = await dial({
    url,
    judge: (presented, host) =>
      judgeServer((at) => verifyChain({ presented, roots, at, use: 'server', host }), { clock: systemClock, floor })
        .verdict,
    signal,
  })
  // In good order, which is no fault in the log of cloudcore.
  socket.end(() => socket.destroy())
  return { is: 'reached', ms: performance.now() - began, verified: true }
}

function reach(host: string, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}

export async function readRuntime({ runtime, runtimeEndpoint }: NodeSettings): Promise<RuntimeFacts> {
  if (runtime === 'simulated') return { runtime, endpoint: undefined }
  const [{ CriClient }, { findEndpoint }, { healthOf }, { methods }] = await Promise.all([
    import('../pods/cri/client.ts'),
    import('../pods/cri/endpoint.ts'),
    import('../pods/cri/health.ts'),
    import('../pods/cri/api.ts'),
  ])
  let endpoint = runtimeEndpoint
  const client = new CriClient(() => findEndpoint(runtimeEndpoint))
  try {
    endpoint = findEndpoint(runtimeEndpoint)
    const { runtime_name: name, runtime_version: version } = await client.call(methods.version, {}, 5000)
    return { runtime, endpoint, name, version, health: await healthOf(client) }
  } catch (error) {
    return { runtime, endpoint, fault: explain(error) }
  } finally {
    client.close()
  }
}

export function readKernel(): KernelFacts {
  const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')
  const v2 = text('/sys/fs/cgroup/cgroup.controllers').trim()
  // Name, hierarchy, count, enabled.
  const v1 = text('/proc/cgroups')
    .split('\n')
    .filter((line) => /\s1$/.test(line))
  const controllers = v2 ? v2.split(' ') : v1.map((line) => line.split(/\s/)[0] ?? '')
  return {
    controllers,
    forwards: text('/proc/sys/net/ipv4/ip_forward').trim() === '1',
    overlay: /\boverlay$/m.test(text('/proc/filesystems')) || existsSync('/sys/module/overlay'),
  }
}
