import type { KubeObject } from '@kedge/shared/objects'
import type { Kube } from '../kube/api.ts'
import { hasCode } from '../kube/errors.ts'
import { rootsIn, validityOf } from './chain.ts'
import { createAtHome, home, secretPath } from './home.ts'
import { identityLabel } from './records.ts'
import { bundle, certificatesIn } from './x509.ts'

const name = 'kedge-issuer-roots'
const field = 'roots.pem'

type Access = Pick<Kube, 'get' | 'create' | 'update'>

/**
 * Roots that signers have told, in the Secret `kedge/kedge-issuer-roots`: nothing secret, but whoever can add to them can
 * speak for any node. They are in force as long as they last, also after the signer has gone over to another.
 */
export class KeptRoots {
  readonly #kube: Access
  readonly #now: () => number
  #roots: string

  private constructor(kube: Access, now: () => number, roots: string) {
    this.#kube = kube
    this.#now = now
    this.#roots = roots
  }

  static async open(kube: Access, now: () => number): Promise<KeptRoots> {
    return new KeptRoots(kube, now, rootsOf(await read(kube)))
  }

  /** PEM; empty when none are known. */
  current(): string {
    return certificatesIn(this.#roots)
      .filter((root) => validityOf(root).to > this.#now())
      .join('')
  }

  /** Keeps further ones; resolves once they are kept, with whether there was one that was not known. */
  async add(roots: string): Promise<boolean> {
    if (bundle(this.#roots, roots) === bundle(this.#roots)) return false
    for (let tries = 0; tries < 5; tries++) {
      const found = await read(this.#kube)
      const wanted = bundle(rootsOf(found), this.#roots, roots)
      if (await this.#write(found, wanted)) {
        this.#roots = wanted
        return true
      }
    }
    throw new Error(`the Secret ${home}/${name} is written by others, over and over`)
  }

  async #write(found: KubeObject | undefined, roots: string): Promise<boolean> {
    const data = { [field]: Buffer.from(roots).toString('base64') }
    const labels = { [identityLabel]: 'roots', 'app.kubernetes.io/part-of': 'kedge' }
    const metadata = { name, namespace: home, labels }
    try {
      if (found === undefined) {
        await createAtHome(this.#kube, 'secrets', { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data })
      } else await this.#kube.update(secretPath(name), { ...found, data })
      return true
    } catch (error) {
      if (hasCode(error, 409)) return false
      throw error
    }
  }
}

async function read(kube: Access): Promise<KubeObject | undefined> {
  try {
    return await kube.get(secretPath(name))
  } catch (error) {
    if (hasCode(error, 404)) return undefined
    throw error
  }
}

function rootsOf(secret: KubeObject | undefined): string {
  const data = (secret?.data ?? {}) as Record<string, unknown>
  return rootsIn(Buffer.from(String(data[field] ?? ''), 'base64').toString('utf8'))
}
