import { isIP } from 'node:net'
import { isoTime } from '../clock.ts'
import { isNodeName } from '../topics.ts'
import type { Certificate } from './certificate.ts'
import { pinOf } from './token.ts'

/**
 * Judges a chain of certificates by hand, at a time that is given. TLS as Node.js does it cannot be told the time, and
 * with a certificate that is out of date its `authorizationError` names only that, also where the authority is a foreign
 * one: whoever accepts "expired" there accepts anybody.
 *
 * Stricter than OpenSSL where that is simpler, and never laxer (test/property/identity).
 */

/** What a certificate is shown for. */
export type Use = 'client' | 'server'

export type Fault =
  /** Nobody who is trusted vouches for it. */
  | 'untrusted'
  | 'expired'
  | 'not-yet-valid'
  /** For another host. */
  | 'wrong-host'
  /** Made for something else. */
  | 'wrong-use'
  /** Cannot be read, or holds what is not supported. */
  | 'unfit'

export type Verdict =
  /** `path`: from the leaf to the root that vouches for it. */
  | { ok: true; path: readonly Certificate[] }
  /** `certificate`: the one that is at fault; `path`: where only the time is, the way that is good otherwise. */
  | { ok: false; fault: Fault; reason: string; certificate?: Certificate; path?: readonly Certificate[] }

export interface Question {
  /** As the other side has shown them, the leaf first. */
  presented: readonly Certificate[]
  /** Who is trusted. */
  roots: readonly Certificate[]
  /** Milliseconds since the epoch: the time to judge at. */
  at: number
  use: Use
  /** Host name or IP address that the leaf must name among its alternative names. */
  host?: string
}

const usageOf: Readonly<Record<Use, string>> = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' }
/** So many certificates are looked at, and so many signatures checked, whatever the other side shows. */
const mostPresented = 10
const mostChecks = 40

/** Verifies `presented` against `roots`. A fault of time is only told where nothing else is wrong. */
export function verifyChain({ presented, roots, at, use, host }: Question): Verdict {
  const anchors = roots.filter((root) => isRoot(root))
  return judge({ presented, anchors, at, use, host })
}

/**
 * Verifies `presented` where only the hash of the authority's key is known (`pinOf`): some certificate among them has it,
 * is an authority, and vouches for the leaf.
 */
export function verifyPinned({ pin, ...question }: Omit<Question, 'roots'> & { pin: string }): Verdict {
  const anchors = question.presented
    .slice(1, mostPresented)
    .filter((certificate) => certificate.authority && pinOf(certificate.x509) === pin)
  if (anchors.length > 0) return judge({ ...question, anchors })
  return no('untrusted', 'the authority that the other side shows is not the one that the token names')
}

/** The latest beginning and the earliest end of a path's validity, milliseconds since the epoch. */
export function validity(path: readonly Certificate[]): { from: number; to: number } {
  return {
    from: Math.max(...path.map(({ notBefore }) => notBefore)),
    to: Math.min(...path.map(({ notAfter }) => notAfter)),
  }
}

/** The node that a certificate is for: its subject is `O=system:nodes, CN=system:node:<name>` and nothing else. */
export function nodeOf({ subject }: Pick<Certificate, 'subject'>): string | undefined {
  const of = (oid: string) => subject.filter(([id]) => id === oid).map(([, text]) => text)
  const [[name, ...names], [group, ...groups]] = [of('2.5.4.3'), of('2.5.4.10')]
  if (subject.length !== 2 || names.length + groups.length > 0 || group !== 'system:nodes') return undefined
  const node = /^system:node:(.+)$/.exec(name ?? '')?.[1]
  return node !== undefined && isNodeName(node) ? node : undefined
}

function no(fault: Fault, reason: string, certificate?: Certificate): Verdict & { ok: false } {
  return { ok: false, fault, reason, ...(certificate === undefined ? {} : { certificate }) }
}

interface Case {
  presented: readonly Certificate[]
  anchors: readonly Certificate[]
  at: number
  use: Use
  host?: string | undefined
}

function judge({ presented, anchors, at, use, host }: Case): Verdict {
  const [leaf, ...others] = presented.slice(0, mostPresented)
  if (leaf === undefined) return no('untrusted', 'no certificate was shown')
  const found = paths({ leaf, others, anchors })
  if (found.length === 0) return no('untrusted', `nobody who is trusted vouches for ${named(leaf)}`, leaf)
  const judged = found.map((path) => ({ path, fault: unusable(path, use) ?? elsewhere(leaf, host) }))
  const usable = judged.filter(({ fault }) => fault === undefined).map(({ path }) => path)
  if (usable.length === 0) return judged[0]?.fault ?? no('untrusted', 'no path')
  const valid = usable.find((path) => outOfTime(path, at) === undefined)
  if (valid !== undefined) return { ok: true, path: valid }
  return usable.flatMap((path) => outOfTime(path, at) ?? [])[0] ?? no('expired', 'out of date')
}

/** Every way from the leaf to a certificate that is trusted, in which each is signed by the next. */
function paths({ leaf, others, anchors }: Pick<Case, 'anchors'> & { leaf: Certificate; others: Certificate[] }) {
  const found: Certificate[][] = []
  let checks = 0
  const signs = (issuer: Certificate, certificate: Certificate) =>
    certificate.x509.checkIssued(issuer.x509) && checks++ < mostChecks && verifies(certificate, issuer)
  const walk = (path: Certificate[], last: Certificate) => {
    for (const anchor of anchors) if (!path.includes(anchor) && signs(anchor, last)) found.push([...path, anchor])
    for (const next of others) {
      // A key that has been passed leads nowhere new.
      const isNew =
        !path.some(({ x509 }) => x509.publicKey.equals(next.x509.publicKey)) &&
        !anchors.some(({ der }) => der.equals(next.der))
      if (isNew && signs(next, last)) walk([...path, next], next)
    }
  }
  walk([leaf], leaf)
  return found
}

function verifies(certificate: Certificate, issuer: Certificate): boolean {
  try {
    return certificate.x509.verify(issuer.x509.publicKey)
  } catch {
    return false
  }
}

function isRoot(root: Certificate): boolean {
  return root.authority && root.x509.checkIssued(root.x509) && verifies(root, root)
}

/** What is wrong with a path, whatever the time. */
function unusable(path: readonly Certificate[], use: Use): (Verdict & { ok: false }) | undefined {
  const [leaf, ...issuers] = path
  for (const certificate of path) {
    if (certificate.unfit) return no('unfit', `${named(certificate)} ${certificate.unfit}`, certificate)
    const restricted = certificate.uses !== undefined || (certificate === leaf && use === 'client')
    if (restricted && !certificate.uses?.includes(usageOf[use])) {
      return no('wrong-use', `${named(certificate)} is not made for a TLS ${use}`, certificate)
    }
  }
  if (leaf && !leaf.maySign) return no('wrong-use', `the key of ${named(leaf)} may not sign`, leaf)
  if (leaf?.authority) return no('wrong-use', `${named(leaf)} is an authority's own`, leaf)
  for (const [below, issuer] of issuers.entries()) {
    if (!issuer.authority) return no('untrusted', `${named(issuer)}, who vouches, is no authority`, issuer)
    if (!issuer.maySignCertificates) return no('untrusted', `${named(issuer)} may not sign certificates`, issuer)
    if (issuer.pathLength !== undefined && below > issuer.pathLength) {
      return no('untrusted', `${named(issuer)} may have no more than ${issuer.pathLength} authorities below it`, issuer)
    }
  }
  return undefined
}

function elsewhere(leaf: Certificate, host: string | undefined): (Verdict & { ok: false }) | undefined {
  if (host === undefined) return undefined
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const matches = isIP(bare) > 0 ? leaf.x509.checkIP(bare) : leaf.x509.checkHost(bare, { subject: 'never' })
  if (matches !== undefined) return undefined
  const names = leaf.x509.subjectAltName ?? 'none'
  return no('wrong-host', `${named(leaf)} is not for ${bare}, its names are ${names.slice(0, 256)}`, leaf)
}

function outOfTime(path: readonly Certificate[], at: number): (Verdict & { ok: false }) | undefined {
  const early = path.find(({ notBefore }) => at < notBefore)
  const late = path.find(({ notAfter }) => at > notAfter)
  const time = (ms: number) => `${isoTime(ms).slice(0, 19)}Z`
  if (late) {
    return { ...no('expired', `${named(late)} ended at ${time(late.notAfter)}, and it is ${time(at)}`, late), path }
  }
  if (early === undefined) return undefined
  return {
    ...no('not-yet-valid', `${named(early)} begins at ${time(early.notBefore)}, and it is ${time(at)}`, early),
    path,
  }
}

function named({ x509 }: Certificate): string {
  return `the certificate of ${x509.subject.replaceAll('\n', ', ').slice(0, 128) || 'nobody'}`
}
