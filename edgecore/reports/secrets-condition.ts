import { lostSecrets } from '../store/sealing.ts'
import type { Store } from '../store/store.ts'
import type { NodeCondition } from './node-conditions.ts'

/** The node's condition `SecretsEncrypted`: how Secrets lie on its disk, and whether a key was lost with those it sealed. */
export function secretsCondition({ db, secretsKey }: Pick<Store, 'db' | 'secretsKey'>): NodeCondition {
  const type = 'SecretsEncrypted'
  const lost = lostSecrets(db)
  if (lost > 0) {
    const message = `${lost} Secrets were encrypted with another key than that in ${secretsKey.file}, and cannot be read: they come again from the cloud with the next connection`
    return { type, status: 'False', reason: 'KeyLost', message }
  }
  if (secretsKey.file === '') {
    const message = 'the disk takes no write, so there is no key yet: Secrets are held in memory alone'
    return { type, status: 'Unknown', reason: 'NoKey', message }
  }
  const where = secretsKey.handedIn
    ? 'which was handed in'
    : 'which lies beside them: whoever takes the disk has both, unless a key is handed in'
  return {
    type,
    status: 'True',
    reason: 'Encrypted',
    message: `Secrets lie encrypted; the key is ${secretsKey.file}, ${where}`,
  }
}
