import * as z from 'zod'
import { isNodeName } from '../topics.ts'

/**
 * What an enrolling connection says and hears: JSON, one question and one answer. `docs/PROTOCOL.md`, "Enrolment". Such a
 * connection has a client id of `enrolClientId` and two topics, and ends after `enrolTimeout`.
 */

/** No request of an enrolling connection is larger, in bytes. */
export const maxEnrolBytes = 16 * 1024
/** No answer is. */
const maxAnswerBytes = 160 * 1024
/** An enrolling connection ends this many milliseconds after it began, whatever happens. */
export const enrolTimeout = 30_000
/** No certificate request is larger, in characters. */
export const maxCsrLength = 8 * 1024

const enrolClient = /^enrol-[0-9a-f]{16}$/
const enrolTopicPattern = /^kedge\/enrol\/v1\/(enrol-[0-9a-f]{16})\/(up|down)$/

/** `hex`: 16 hexadecimal digits, by chance. */
export function enrolClientId(hex: string): string {
  return `enrol-${hex}`
}

export function isEnrolClientId(text: string): boolean {
  return enrolClient.test(text)
}

export function enrolTopic(clientId: string, channel: 'up' | 'down'): string {
  return `kedge/enrol/v1/${clientId}/${channel}`
}

export function parseEnrolTopic(topic: string): { clientId: string; channel: 'up' | 'down' } | undefined {
  const [, clientId, channel] = enrolTopicPattern.exec(topic) ?? []
  return clientId !== undefined && (channel === 'up' || channel === 'down') ? { clientId, channel } : undefined
}

export const Csr = z
  .string()
  .max(maxCsrLength)
  .regex(/^-----BEGIN CERTIFICATE REQUEST-----/, 'not a certificate request in PEM')
/** 256 bits that the node was given with its certificate; base64url. */
export const EnrolmentSecret = z.string().regex(/^[\w-]{43}$/, 'not 256 bits in base64url')
export const Pems = z
  .string()
  .max(64 * 1024)
  .regex(/^-----BEGIN CERTIFICATE-----/, 'no certificates in PEM')

const Enrol = z.object({
  is: z.literal('enrol'),
  /** `<id>.<secret>` of the join token. */
  token: z.string().regex(/^[a-z0-9]{10}\.[\w-]{22}$/, 'not <id>.<secret> of a join token'),
  /** The name that the board wants; a token that is bound to a node knows better. */
  node: z.string().refine(isNodeName, 'not a DNS-1123 name').optional(),
  csr: Csr,
})

/** The proof of the old key is the TLS handshake itself. */
const Renew = z.object({ is: z.literal('renew'), csr: Csr, secret: EnrolmentSecret })

export const EnrolUp = z.discriminatedUnion('is', [Enrol, Renew])
export type EnrolUp = z.infer<typeof EnrolUp>

export const refusalCodes = [
  'token-unknown',
  'token-expired',
  'token-spent',
  'token-revoked',
  'token-other-node',
  'csr-invalid',
  'too-many',
  'node-locked',
  'node-revoked',
  'too-late',
  'busy',
] as const
export const RefusalCode = z.enum(refusalCodes)
export type RefusalCode = z.infer<typeof RefusalCode>

const Enrolled = z.object({
  is: z.literal('enrolled'),
  node: z.string().refine(isNodeName, 'not a DNS-1123 name'),
  /** PEM, the node's certificate first. */
  chain: Pems,
  /** PEM, all that the node must trust. */
  roots: Pems,
  secret: EnrolmentSecret,
  /** Where the link is, when not where this connection went: `mqtts://HOST:PORT`. */
  broker: z
    .string()
    .regex(/^mqtts?:\/\//, 'not an mqtts:// URL')
    .max(512)
    .optional(),
})

const Refused = z.object({
  is: z.literal('refused'),
  /** A newer cloud may know more codes. */
  code: RefusalCode.or(z.string().max(64)),
  reason: z.string().max(1024),
  /** Milliseconds after which another try may be answered otherwise. */
  retryAfter: z.number().nonnegative().optional(),
})

export const EnrolDown = z.discriminatedUnion('is', [Enrolled, Refused])
export type EnrolDown = z.infer<typeof EnrolDown>
export type Enrolled = z.infer<typeof Enrolled>
export type Refused = z.infer<typeof Refused>

export type Parsed<T> = { ok: true; message: T } | { ok: false; reason: string }

/** Never throws; the reason names fields, never their values, which may be secrets. */
export function parseEnrolUp(bytes: Uint8Array): Parsed<EnrolUp> {
  return parse(bytes, EnrolUp, maxEnrolBytes)
}

/** Never throws; the reason names fields, never their values. */
export function parseEnrolDown(bytes: Uint8Array): Parsed<EnrolDown> {
  return parse(bytes, EnrolDown, maxAnswerBytes)
}

function parse<T>(bytes: Uint8Array, schema: z.ZodType<T>, most: number): Parsed<T> {
  if (bytes.length > most) {
    return { ok: false, reason: `${bytes.length} bytes; at most ${most} are read` }
  }
  let given: unknown
  try {
    given = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    // What the parser says of it may quote a secret.
    return { ok: false, reason: 'not JSON' }
  }
  const parsed = schema.safeParse(given)
  if (parsed.success) return { ok: true, message: parsed.data }
  const faults = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'message'}: ${message}`)
  return { ok: false, reason: faults.join('; ') }
}
