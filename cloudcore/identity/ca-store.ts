import { UserError } from '@kedge/shared/errors'
import type { KubeObject } from '@kedge/shared/objects'
import * as z from 'zod'
import type { Kube } from '../kube/api.ts'
import { hasCode } from '../kube/errors.ts'
import { createAtHome, home, secretPath } from './home.ts'
import { identityLabel } from './records.ts'
import { CaState, rootsOf } from './rotation.ts'
import { isSealed, type SealingKey, seal, unseal } from './sealed-key.ts'

/** A state and the resourceVersion that it was read at. */
export interface Kept {
  state: CaState
  version: string
}

/** Where the authority of the link is kept. */
export interface CaStore {
  read(): Promise<Kept | undefined>
  /**
   * Keeps a state in the place of the one read at `version`, or as the first one. Undefined when somebody else was
   * first: read again.
   */
  write(state: CaState, version: string | undefined): Promise<Kept | undefined>
}

export const caSecret = 'kedge-ca'
const caPath = secretPath(caSecret)
const purpose = 'key of the certificate authority'

const Content = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: z.object({ state: z.string() }),
})

/**
 * In the Secret `kedge/kedge-ca`: `state` has the keys, sealed where there is a key file, and `ca.crt` the public part,
 * for people. Of two that make the first state at once, both end with the same one.
 */
export class SecretCaStore implements CaStore {
  readonly #kube: Pick<Kube, 'get' | 'create' | 'update'>
  readonly #key: SealingKey | undefined

  constructor(kube: Pick<Kube, 'get' | 'create' | 'update'>, key?: SealingKey) {
    this.#kube = kube
    this.#key = key
  }

  async read(): Promise<Kept | undefined> {
    try {
      return this.parse(await this.#kube.get(caPath))
    } catch (error) {
      if (hasCode(error, 404)) return undefined
      throw error
    }
  }

  /** What is in the Secret. Throws a UserError that says what is wrong with it. */
  parse(secret: KubeObject): Kept {
    const content = Content.safeParse(secret)
    if (!content.success) throw damaged(z.prettifyError(content.error))
    const { data, metadata } = content.data
    const text = this.#open(Buffer.from(data.state, 'base64').toString('utf8'))
    const state = CaState.safeParse(json(text))
    // The error of the schema could quote a key.
    if (!state.success) throw damaged('its state is not what cloudcore writes')
    return { state: state.data, version: metadata.resourceVersion }
  }

  #open(text: string): string {
    if (!isSealed(text)) return text
    if (this.#key !== undefined) return unseal(text, { key: this.#key, purpose })
    throw new UserError(
      `the Secret ${home}/${caSecret} is sealed: give the key file it was sealed with (--ca-key-file)`,
    )
  }

  write(state: CaState, version: string | undefined): Promise<Kept | undefined> {
    const secret = this.#secret(state, version)
    if (version !== undefined) return this.#put(() => this.#kube.update(caPath, secret))
    return this.#put(() => createAtHome(this.#kube, 'secrets', secret))
  }

  async #put(send: () => Promise<KubeObject>): Promise<Kept | undefined> {
    try {
      return this.parse(await send())
    } catch (error) {
      if (hasCode(error, 409)) return undefined
      throw error
    }
  }

  #secret(state: CaState, version?: string): KubeObject {
    const text = JSON.stringify(state)
    const kept = this.#key === undefined ? text : seal(text, { key: this.#key, purpose })
    const labels = { [identityLabel]: 'ca', 'app.kubernetes.io/part-of': 'kedge' }
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: home, name: caSecret, labels, resourceVersion: version },
      type: 'Opaque',
      data: { state: base64(kept), 'ca.crt': base64(rootsOf(state)) },
    }
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function damaged(why: string): UserError {
  const advice =
    'bring it back from a backup; without it, remove it to have a new authority made, and let every node join again'
  return new UserError(`the Secret ${home}/${caSecret} cannot be used: ${why}: ${advice}`)
}
