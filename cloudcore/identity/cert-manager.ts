import type { KubeObject } from '@kedge/shared/objects'
import { home } from './home.ts'
import type { IssuerName } from './issuer-name.ts'
import {
  approvedBy,
  conditionsOf,
  holds,
  type Outcome,
  pemIn,
  type RequestKind,
  usages,
  wordsOf,
} from './request-kind.ts'

/**
 * cert-manager's CertificateRequest (cert-manager.io/v1): its spec cannot be changed, it is approved or denied once and
 * for all by a condition, and it is tried once: who wants another try makes another request.
 */
export function certificateRequests({ kind, name, group }: IssuerName & { is: 'cert-manager' }): RequestKind {
  const apiVersion = 'cert-manager.io/v1'
  const collection = `/apis/${apiVersion}/namespaces/${home}/certificaterequests`
  return {
    kind: 'CertificateRequest',
    missing: 'cert-manager is not installed in this cluster: install it, or choose another --issuer',
    collection,
    bodyOf: ({ csr, days }) => ({
      apiVersion,
      kind: 'CertificateRequest',
      metadata: { name: '', namespace: home },
      spec: {
        request: Buffer.from(csr).toString('base64'),
        issuerRef: { name, kind, group },
        duration: `${days * 24}h`,
        isCA: false,
        usages,
      },
    }),
    outcomeOf,
    approval: (object, time) => ({
      path: `${collection}/${object.metadata.name}/status`,
      object: approvedBy(object, { lastTransitionTime: time }),
    }),
  }
}

/** Invalid and denied requests stay so; what failed may succeed in another request. */
function outcomeOf(object: KubeObject): Outcome {
  const invalid = holds(object, 'InvalidRequest') ?? holds(object, 'Denied')
  if (invalid !== undefined) return { is: 'refused', reason: wordsOf(invalid), final: true }
  const ready = conditionsOf(object).find(({ type }) => type === 'Ready')
  if (ready?.reason === 'Failed') return { is: 'refused', reason: wordsOf(ready), final: false }
  if (ready?.reason === 'Denied') return { is: 'refused', reason: wordsOf(ready), final: true }
  const chain = pemIn(object, 'certificate')
  if (ready?.status === 'True' && chain !== '') return { is: 'issued', chain, roots: pemIn(object, 'ca') }
  const approved = holds(object, 'Approved') !== undefined
  const waits = ready === undefined ? 'its issuer has not looked at it' : wordsOf(ready)
  return { is: 'pending', approved, why: approved ? waits : 'it is not approved' }
}
