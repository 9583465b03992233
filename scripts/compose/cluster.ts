import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from '@kedge/shared/service'
import { parseAllDocuments, stringify } from 'yaml'
import * as z from 'zod'
import { ask, type KubeAccess } from '../fleet/kube.ts'

const hour = 3600 * 1000

const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
})
type Manifest = z.infer<typeof Manifest>
const Token = z.object({ status: z.object({ token: z.string() }) })

export interface ClusterOptions {
  /** An administrator's, read anew each time. Throws while the cluster has not written its kubeconfig yet. */
  access: () => KubeAccess
  /** A folder of manifests. */
  manifests: string
  /** Where cloudcore finds its kubeconfig. */
  dir: string
  say: (text: string) => void
  signal: AbortSignal
}

/**
 * Applies manifests to a cluster, and keeps a kubeconfig for cloudcore's service account there, with a token of a day
 * that is made anew every six hours, until the signal aborts.
 */
export async function prepareCluster({ access, manifests, dir, say, signal }: ClusterOptions): Promise<void> {
  let complaint = ''
  while (!signal.aborted) {
    const next = await prepare(access, manifests, dir).then(
      (count) => {
        say(`${count} objects applied; cloudcore has the rights of its service account`)
        complaint = ''
        return 6 * hour
      },
      (error: Error) => {
        if (complaint !== error.message) say(`waiting for the cluster: ${error.message}`)
        complaint = error.message
        return 2000
      },
    )
    await sleep(next, signal)
  }
}

async function prepare(access: () => KubeAccess, manifests: string, dir: string): Promise<number> {
  const api = access()
  const objects = manifestsIn(manifests)
  for (const object of objects) await apply(api, object)
  const path = '/api/v1/namespaces/kedge/serviceaccounts/cloudcore/token'
  const spec = { expirationSeconds: 24 * 3600 }
  const { status, body } = await ask(api, 'POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec,
  })
  if (status !== 201) throw new Error(`token of the service account: ${status} ${JSON.stringify(body)}`)
  keep(dir, 'token', Token.parse(body).status.token)
  keep(dir, 'kubeconfig', stringify(kubeconfigOf(api, join(dir, 'token'))))
  return objects.length
}

/** Namespaces before what is in them; else in the order of the files' names. */
function manifestsIn(folder: string): Manifest[] {
  const files = readdirSync(folder).sort()
  const objects = files.flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => Manifest.parse(document.toJS())),
  )
  const isNamespace = ({ kind }: Manifest) => (kind === 'Namespace' ? 0 : 1)
  return objects.toSorted((one, other) => isNamespace(one) - isNamespace(other))
}

/** As `kubectl apply --server-side` does. */
async function apply(api: KubeAccess, object: Manifest): Promise<void> {
  const { apiVersion, kind, metadata } = object
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const within = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  const path = `${base}${within}/${kind.toLowerCase()}s/${metadata.name}?fieldManager=kedge-fleet&force=true`
  const { status, body } = await ask(api, 'PATCH', path, object)
  if (status !== 200 && status !== 201)
    throw new Error(`apply ${kind} ${metadata.name}: ${status} ${JSON.stringify(body)}`)
}

function kubeconfigOf({ server, ca = '' }: KubeAccess, tokenFile: string) {
  const named = { name: 'cloudcore' }
  const authority = Buffer.from(ca).toString('base64')
  return {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'cloudcore' },
    clusters: [{ ...named, cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ ...named, user: { tokenFile } }],
    contexts: [{ ...named, context: { cluster: 'cloudcore', user: 'cloudcore' } }],
  }
}

function keep(dir: string, name: string, text: string): void {
  const path = join(dir, name)
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
