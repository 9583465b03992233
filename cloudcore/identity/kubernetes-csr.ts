import type { KubeObject } from '@kedge/shared/objects'
import type { Signed, SignRequest } from './issuer.ts'
import { type IssuerName, ownSigner } from './issuer-name.ts'
import { approvedBy, holds, type Outcome, pemIn, type RequestKind, usages, wordsOf } from './request-kind.ts'

/** Signs in the name of cloudcore's own authority. */
interface Signer {
  sign(request: SignRequest): Promise<Signed>
}

const apiVersion = 'certificates.k8s.io/v1'
const collection = `/apis/${apiVersion}/certificatesigningrequests`

/**
 * CertificateSigningRequests of Kubernetes (certificates.k8s.io/v1). With the signer `kedge.io/node` cloudcore signs what
 * has been approved, by itself or by a person; with any other it waits for that one.
 */
export function signingRequests({ signer }: IssuerName & { is: 'kubernetes-csr' }, own: Signer): RequestKind {
  const kind: RequestKind = {
    kind: 'CertificateSigningRequest',
    missing: 'the API does not serve certificates.k8s.io/v1: choose another --issuer',
    collection,
    bodyOf: ({ csr, days }) => ({
      apiVersion,
      kind: 'CertificateSigningRequest',
      metadata: { name: '' },
      spec: {
        request: Buffer.from(csr).toString('base64'),
        signerName: signer,
        usages,
        expirationSeconds: days * 24 * 3600,
      },
    }),
    outcomeOf,
    approval: (object, time) => ({
      path: `${collection}/${object.metadata.name}/approval`,
      object: approvedBy(object, { lastUpdateTime: time }),
    }),
  }
  return signer === ownSigner ? { ...kind, complete: (object, request) => completed(object, request, own) } : kind
}

async function completed(object: KubeObject, request: SignRequest, own: Signer) {
  const { chain } = await own.sign(request)
  const status = { ...object.status, certificate: Buffer.from(chain).toString('base64') }
  return { path: `${collection}/${object.metadata.name}/status`, object: { ...object, status } }
}

function outcomeOf(object: KubeObject): Outcome {
  const denied = holds(object, 'Denied')
  if (denied !== undefined) return { is: 'refused', reason: wordsOf(denied), final: true }
  const failed = holds(object, 'Failed')
  if (failed !== undefined) return { is: 'refused', reason: wordsOf(failed), final: false }
  const chain = pemIn(object, 'certificate')
  if (chain !== '') return { is: 'issued', chain, roots: '' }
  const isApproved = holds(object, 'Approved') !== undefined
  return {
    is: 'pending',
    approved: isApproved,
    why: isApproved ? 'its signer has not signed it' : 'it is not approved',
  }
}
