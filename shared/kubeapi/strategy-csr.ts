import { X509Certificate } from 'node:crypto'
import { type Cause, duplicate, forbidden, invalid, notSupported, required } from './causes.ts'
import { asArray, asObject, type Json } from './schema.ts'
import type { CheckInput, Strategy } from './strategy.ts'

/** CertificateSigningRequests: who approves says so on `/approval`, who signs writes the certificate on `/status`. */
export const csrStrategy: Strategy = {
  prepareUpdate(object, old) {
    object.spec = old.spec
  },
  prepareStatus(object, old, { subresource, now }) {
    const { conditions, ...status } = asObject(object.status)
    if (subresource === 'approval') status.certificate = asObject(old.status).certificate
    if (status.certificate === undefined) delete status.certificate
    const before = conditionsOf(old.status)
    object.status = Array.isArray(conditions)
      ? { conditions: conditions.map((one) => timed(asObject(one), before, now)), ...status }
      : status
  },
  check: checkRequest,
}

function conditionsOf(status: unknown): Json[] {
  return asArray(asObject(status).conditions).map(asObject)
}

/** A condition with the times that its writer left out. */
function timed(condition: Json, before: Json[], now: string | undefined): Json {
  const same = before.find(({ type, status }) => type === condition.type && status === condition.status)
  return {
    ...condition,
    lastUpdateTime: condition.lastUpdateTime ?? now,
    lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? now,
  }
}

function checkRequest({ object, old, subresource }: CheckInput): Cause[] {
  if (old === undefined) return checkNewRequest(asObject(object.spec))
  return [
    ...checkConditions(conditionsOf(object.status)),
    ...checkDecision(conditionsOf(object.status), conditionsOf(old.status), subresource),
    ...checkCertificate(asObject(object.status).certificate, asObject(old.status).certificate),
  ]
}

const knownUsages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
]

function checkNewRequest(spec: Json): Cause[] {
  const causes: Cause[] = []
  const pem = Buffer.from(String(spec.request ?? ''), 'base64').toString('utf8')
  if (spec.request !== undefined && !pem.includes('-----BEGIN CERTIFICATE REQUEST-----')) {
    causes.push(invalid('spec.request', spec.request, 'PEM block type must be CERTIFICATE REQUEST'))
  }
  const signer = spec.signerName
  if (typeof signer === 'string' && signer !== '' && !/^[a-z0-9.-]+\.[a-z0-9.-]+\/.+$/.test(signer)) {
    const form = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
    causes.push(invalid('spec.signerName', signer, form))
  }
  causes.push(...checkUsages(asArray(spec.usages)))
  if (typeof spec.expirationSeconds === 'number' && spec.expirationSeconds < 600) {
    const least = 'may not specify a duration less than 600 seconds (10 minutes)'
    causes.push(invalid('spec.expirationSeconds', spec.expirationSeconds, least))
  }
  return causes
}

function checkUsages(usages: unknown[]): Cause[] {
  if (usages.length === 0) return [required('spec.usages', 'usages field is required')]
  return usages.flatMap((usage, index) => {
    const at = `spec.usages[${index}]`
    if (!knownUsages.includes(String(usage))) return [notSupported(at, usage, knownUsages)]
    return usages.indexOf(usage) < index ? [duplicate(at, usage)] : []
  })
}

/** Those that say what became of the request. */
const outcomes = ['Approved', 'Denied', 'Failed']

function checkConditions(conditions: Json[]): Cause[] {
  const seen = new Set<unknown>()
  return conditions.flatMap(({ type, status }, index) => {
    const at = `status.conditions[${index}]`
    const causes: Cause[] = []
    if (outcomes.includes(String(type)) && status !== 'True')
      causes.push(notSupported(`${at}.status`, status, ['True']))
    if (seen.has(type)) causes.push(duplicate(`${at}.type`, type))
    const other = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined
    if (other !== undefined && seen.has(other)) {
      causes.push(invalid(`${at}.type`, type, 'Approved and Denied conditions are mutually exclusive'))
    }
    seen.add(type)
    return causes
  })
}

/** What was decided stays, and who may sign cannot by that approve. */
function checkDecision(conditions: Json[], before: Json[], subresource: string | undefined): Cause[] {
  const has = (list: Json[], type: string) => list.some((one) => one.type === type)
  const added = (type: string) =>
    subresource !== 'approval' && type !== 'Failed' && has(conditions, type) && !has(before, type)
  const removed = (type: string) => has(before, type) && !has(conditions, type)
  const cause = (what: string, type: string) =>
    forbidden('status.conditions', `updates may not ${what} a condition of type ${JSON.stringify(type)}`)
  return [
    ...outcomes.filter(removed).map((type) => cause('remove', type)),
    ...outcomes.filter(added).map((type) => cause('add', type)),
  ]
}

function checkCertificate(certificate: unknown, before: unknown): Cause[] {
  if (certificate === before || certificate === undefined || certificate === '') return []
  const fault = certificateFault(Buffer.from(String(certificate), 'base64').toString('latin1'))
  if (fault !== undefined) return [invalid('status.certificate', '<certificate data>', fault)]
  if (before === undefined || before === '') return []
  return [forbidden('status.certificate', 'updates may not modify existing certificate content')]
}

function certificateFault(pem: string): string | undefined {
  const blocks = [...pem.matchAll(/-----BEGIN ([^-]+)-----[^-]+-----END \1-----/g)]
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block'
  for (const [block, type] of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`
    try {
      new X509Certificate(block)
    } catch {
      return 'x509: malformed certificate'
    }
  }
  return undefined
}
