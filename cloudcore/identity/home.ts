import type { KubeObject } from '@kedge/shared/objects'
import type { Kube } from '../kube/api.ts'
import { hasCode } from '../kube/errors.ts'
import { collectionIn, configMapPath } from '../kube/paths.ts'

/** The namespace of cloudcore itself: tokens, identities and what nodes are to trust lie there. */
export const home = 'kedge'

export function secretPath(name: string): string {
  return `${collectionIn('secrets', home)}/${encodeURIComponent(name)}`
}

/** Creates an object in `home`, and that namespace first where it is missing. */
export async function createAtHome(
  kube: Pick<Kube, 'create'>,
  resource: 'secrets' | 'configmaps',
  object: KubeObject,
): Promise<KubeObject> {
  const create = () => kube.create(collectionIn(resource, home), object)
  return create().catch(async (error: unknown) => {
    if (!hasCode(error, 404)) throw error
    // A cluster that was set up with kubectl apply -k has the namespace.
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: home } }
    await kube.create('/api/v1/namespaces', namespace).catch((cause: unknown) => {
      if (!hasCode(cause, 409)) throw cause
    })
    return create()
  })
}

const trustName = 'kedge-trust'

/** What whoever makes a join command must know: ConfigMap `kedge/kedge-trust`. */
export interface Trust {
  /** PEM: what nodes trust. */
  roots: string
  /** Where boards connect to, `host:port`. */
  address: string
  /** base64url of the SHA-256 of the authority's public key. */
  pin: string
}

/** Writes it for all to read; writes nothing where it is so already. */
export async function publishTrust(kube: Pick<Kube, 'create' | 'patch'>, trust: Trust): Promise<void> {
  const data = { 'roots.pem': trust.roots, address: trust.address, pin: trust.pin }
  try {
    await kube.patch(configMapPath(home, trustName), { data })
  } catch (error) {
    if (!hasCode(error, 404)) throw error
    const metadata = { name: trustName, namespace: home, labels: { 'app.kubernetes.io/part-of': 'kedge' } }
    await createAtHome(kube, 'configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  }
}

/** What `publishTrust` wrote; undefined where no cloudcore with TLS has run yet. */
export async function readTrust(kube: Pick<Kube, 'get'>): Promise<Trust | undefined> {
  try {
    const { data } = await kube.get(configMapPath(home, trustName))
    const { 'roots.pem': roots = '', address = '', pin = '' } = (data ?? {}) as Record<string, string>
    return address === '' || pin === '' ? undefined : { roots, address, pin }
  } catch (error) {
    if (hasCode(error, 404)) return undefined
    throw error
  }
}
