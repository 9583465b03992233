import { canonical } from '@kedge/shared/canonical'
import type { KubeObject } from '@kedge/shared/objects'
import type { Answer, Dialect } from './signer.ts'

type Condition = Record<string, string>

function conditionsOf({ status }: KubeObject): Condition[] {
  return (status?.conditions ?? []) as Condition[]
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

/** CertificateRequests as cert-manager's own controllers answer them. */
export function certManagerDialect(issuer: { name: string; kind: string; group: string }): Dialect {
  const collection = '/apis/cert-manager.io/v1/namespaces/kedge/certificaterequests'
  return {
    collection,
    isForUs: ({ spec }) => canonical(spec?.issuerRef) === canonical(issuer),
    isDone: (object) =>
      conditionsOf(object).some(({ type, reason }) => type === 'Ready' && reason !== 'Pending') ||
      conditionsOf(object).some(({ type }) => type === 'Denied'),
    answer: (object, is) => ({
      path: `${collection}/${object.metadata.name}/status`,
      status: { ...fields(is), conditions: [...conditionsOf(object), ...added(is)] },
    }),
  }
}

function fields(is: Answer): Record<string, string> {
  if (is.is === 'issued') return { certificate: base64(is.chain), ca: base64(is.root) }
  return is.is === 'approved' ? {} : { failureTime: is.time }
}

function added(is: Answer): Condition[] {
  const lastTransitionTime = is.time
  const ready = (status: string, reason: string, message: string) => ({
    type: 'Ready',
    status,
    reason,
    message,
    lastTransitionTime,
  })
  if (is.is === 'issued') return [ready('True', 'Issued', 'Certificate fetched from issuer successfully')]
  if (is.is === 'failed') return [ready('False', 'Failed', 'the key pair of the authority is missing')]
  const decided = { status: 'True', reason: 'policy.example', lastTransitionTime }
  if (is.is === 'approved') return [{ type: 'Approved', message: 'all is well', ...decided }]
  return [
    { type: 'Denied', message: 'no such board', ...decided },
    ready('False', 'Denied', 'The CertificateRequest was denied by an approval controller'),
  ]
}

/** CertificateSigningRequests with a signer of somebody else's. */
export function kubernetesDialect(signerName: string): Dialect {
  const collection = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
  return {
    collection,
    isForUs: ({ spec }) => spec?.signerName === signerName,
    isDone: (object) =>
      object.status?.certificate !== undefined ||
      conditionsOf(object).some(({ type }) => type === 'Denied' || type === 'Failed'),
    answer: (object, is) => {
      const at = `${collection}/${object.metadata.name}`
      if (is.is === 'issued') return { path: `${at}/status`, status: { certificate: base64(is.chain) } }
      const decision = is.is !== 'failed'
      const words = decision
        ? { reason: 'policy.example', message: 'no such board' }
        : { reason: 'KeyMissing', message: '' }
      const type = { approved: 'Approved', denied: 'Denied', failed: 'Failed' }[is.is]
      const conditions = [...conditionsOf(object), { type, status: 'True', ...words }]
      return { path: `${at}/${decision ? 'approval' : 'status'}`, status: { conditions } }
    },
  }
}
