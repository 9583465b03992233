import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { issue, makeAuthority } from '@kedge/cloudcore/identity/certificates'
import { sleep } from '@kedge/shared/service'
import * as z from 'zod'
import { ask, type KubeAccess } from '../fleet/kube.ts'

const days = 3650
const Trust = z.object({ data: z.object({ 'roots.pem': z.string() }) })
const Secrets = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
    }),
  ),
})

export interface BrokerFiles {
  /** Folders: what mosquitto reads, what cloudcore shows there, and what edge nodes know it by. */
  mosquitto: string
  cloudcore: string
  nodes: string
}

/**
 * Makes the authority of the broker, its certificate and that of cloudcore, unless they are there. Its key is kept nowhere:
 * it signs these two. The key of cloudcore comes last, and says that all of it is there.
 */
export async function makePapers(files: BrokerFiles, host: string, now: number): Promise<void> {
  if (existsSync(join(files.cloudcore, 'cloudcore.key'))) return
  const authority = await makeAuthority(now)
  const server = { subject: [{ CN: [host] }], days, usage: 'server' as const, names: { dns: [host], ips: [] } }
  const broker = await issue(authority, now, server)
  const cloudcore = await issue(authority, now, { subject: [{ CN: ['cloudcore'] }], days, usage: 'client' })
  keep(files.nodes, 'broker-ca.pem', authority.cert)
  keep(files.mosquitto, 'broker-ca.pem', authority.cert)
  keep(files.mosquitto, 'kedge-roots.pem', authority.cert)
  keep(files.mosquitto, 'kedge-broker.key', broker.key)
  keep(files.mosquitto, 'kedge-broker.pem', broker.cert)
  keep(files.mosquitto, 'kedge.acl', accessList([]))
  keep(files.cloudcore, 'broker-ca.pem', authority.cert)
  keep(files.cloudcore, 'cloudcore.pem', cloudcore.cert)
  keep(files.cloudcore, 'cloudcore.key', cloudcore.key)
}

export interface FollowOptions {
  /** The folder of mosquitto. */
  dir: string
  /** Read anew for each look. Throws while cloudcore or k3s has not written it yet. */
  access: () => KubeAccess
  say: (text: string) => void
  signal: AbortSignal
}

/** Keeps what mosquitto trusts and its access list as cloudcore's objects say, until the signal aborts. */
export async function follow({ dir, access, say, signal }: FollowOptions): Promise<void> {
  let complaint = ''
  while (!signal.aborted) {
    await look(dir, access).then(
      (changed) => {
        complaint = ''
        for (const what of changed) say(what)
      },
      (error: Error) => {
        // Once: cloudcore may be away for long.
        if (complaint !== error.message) say(`waiting for cloudcore: ${error.message}`)
        complaint = error.message
      },
    )
    await sleep(1000, signal)
  }
}

async function look(dir: string, access: () => KubeAccess): Promise<string[]> {
  const api = access()
  const { data } = await got(api, '/api/v1/namespaces/kedge/configmaps/kedge-trust', Trust)
  const { items } = await got(api, '/api/v1/namespaces/kedge/secrets?labelSelector=kedge.io%2Fidentity%3Dnode', Secrets)
  const roots = data['roots.pem'] + readFileSync(join(dir, 'broker-ca.pem'), 'utf8')
  const list = accessList(items.map(({ metadata: { name, annotations = {} } }) => ({ name, annotations })))
  const said = []
  if (keep(dir, 'kedge-roots.pem', roots)) said.push('mosquitto trusts what cloudcore trusts')
  if (keep(dir, 'kedge.acl', list)) said.push(`the access list of mosquitto has ${items.length} nodes`)
  return said
}

async function got<T>(api: KubeAccess, path: string, schema: z.ZodType<T>): Promise<T> {
  const { status, body } = await ask(api, 'GET', path)
  if (status !== 200) throw new Error(`GET ${path}: ${status}`)
  return schema.parse(body)
}

/** What the script beside it makes of Secrets with the identities of nodes. */
function accessList(secrets: readonly { name: string; annotations: Readonly<Record<string, string>> }[]): string {
  const out = ({ annotations }: (typeof secrets)[number]) =>
    `${annotations['kedge.io/revoked'] ?? ''}${annotations['kedge.io/locked'] ?? ''}`
  const input = secrets.map((secret) => `${secret.name}\t${out(secret)}\n`).join('')
  return execFileSync('sh', [script, '-'], { input, encoding: 'utf8' })
}

const script = new URL('kedge-acl', import.meta.url).pathname

/** Writes a file at once, when it is another. Returns whether it was. */
function keep(dir: string, name: string, text: string): boolean {
  const path = join(dir, name)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return false
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
  return true
}
