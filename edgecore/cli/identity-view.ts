import { rfc3339 } from '@kedge/shared/clock'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { pinOf } from '@kedge/shared/identity/token'
import { certificateCondition } from '../identity/condition.ts'
import { termOf } from '../identity/identity.ts'
import { findIdentity } from '../identity/keep.ts'
import { readRefusal } from '../identity/last-refusal.ts'
import { renewAt } from '../identity/renewal.ts'
import { noIdentity } from '../identity/settle.ts'
import type { Item } from './views.ts'

/**
 * `edgecore get identity`: who this board is, without its key and its secret, and what to do when its certificate is not
 * good; undefined for a board that has not joined. `now`: milliseconds since the epoch. Throws a UserError where the files of
 * an identity do not hold together.
 */
export function identityItem(data: string, now: number): { item: Item; note: string } | undefined {
  const { identity, path, faults } = findIdentity(data)
  if (identity === undefined && faults.length > 0) throw noIdentity(faults)
  if (identity === undefined) return undefined
  const { node, cloud, broker, generation, renew } = identity
  const term = termOf(identity)
  const refusal = readRefusal(data)
  const { status, reason, message } = certificateCondition({ term, now, held: refusal })
  const times = { from: rfc3339(term.from), until: rfc3339(term.to), renewal: rfc3339(renewAt(term)) }
  const trusts = readCertificates(identity.roots).map(({ x509 }) => ({
    subject: x509.subject,
    until: rfc3339(Date.parse(x509.validTo)),
    pin: pinOf(x509),
  }))
  const valid = { status, reason, message, ...(refusal && { refusedAt: rfc3339(refusal.at) }) }
  const item: Item = {
    name: node,
    cells: [node, broker ?? cloud, term.serial, times.until, reason],
    wide: [times.renewal, String(generation)],
    object: {
      node,
      cloud,
      broker,
      file: path,
      generation,
      serial: term.serial,
      ...times,
      window: renew,
      valid,
      trusts,
    },
  }
  return { item, note: status === 'True' ? '' : `${message}\n` }
}
