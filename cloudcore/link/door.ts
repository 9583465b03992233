import { TLSSocket } from 'node:tls'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type Certificate, readCertificates } from '@kedge/shared/identity/certificate'
import type { EnrolUp } from '@kedge/shared/identity/enrol'
import { presentedBy } from '@kedge/shared/identity/presented'
import { sourceOf } from '@kedge/shared/source-address'
import type { Caller, EnrolResult } from '../identity/enrolment.ts'
import type { Issuer, LinkCertificate } from '../identity/issuer.ts'
import { type Barred, barred } from '../identity/issuing.ts'
import type { NodeIdentity } from '../identity/records.ts'
import { type Visitor, visitorOf } from './visitor.ts'

export interface DoorOptions {
  /** What cloudcore shows. */
  certificate: Pick<LinkCertificate, 'current' | 'onChange'>
  issuer: Pick<Issuer, 'roots' | 'onChange'>
  /** What is known of a node; undefined for one that has never joined here. */
  identityOf: (node: string) => NodeIdentity | undefined
  /** Calls back with each node of which something else is known now; returns what ends that. */
  onIdentity: (listener: (node: string) => void) => () => void
  enroller: { answer(caller: Caller, request: EnrolUp): Promise<EnrolResult> }
  /** Where the link is, if not where enrolling connections come. */
  broker?: string | undefined
  /** Milliseconds after its end in which a certificate is good for its renewal. */
  grace: number
  clock: Clock
}

/** Who may come in over TLS: certificates are judged here, by hand, and nowhere else. */
export class Door {
  readonly options: DoorOptions
  readonly #visitors = new WeakMap<object, Visitor>()
  #roots: { text: string; read: Certificate[] } | undefined

  constructor(options: DoorOptions) {
    this.options = options
  }

  /** What a TLS server needs. Nothing that it finds out of certificates by itself is ever looked at. */
  tls() {
    const { certificate, issuer } = this.options
    return { ...certificate.current(), ca: issuer.roots(), requestCert: true, rejectUnauthorized: false } as const
  }

  /** Calls back when `tls()` has changed; returns what ends that. */
  onTls(listener: () => void): () => void {
    const { certificate, issuer } = this.options
    const ends = [certificate.onChange(listener), issuer.onChange(listener)]
    return () => {
      for (const end of ends) end()
    }
  }

  /** Who is at the other end, as it was when the connection began. */
  visitor(socket: unknown): Visitor {
    if (!(socket instanceof TLSSocket)) return { is: 'stranger', reason: 'the connection is not over TLS', late: false }
    const known = this.#visitors.get(socket)
    if (known !== undefined) return known
    const visitor = this.#look(socket)
    this.#visitors.set(socket, visitor)
    return visitor
  }

  /** Never throws: what strangers show must not end cloudcore. */
  #look(socket: TLSSocket): Visitor {
    const { clock, grace } = this.options
    const roots = this.#trusted()
    try {
      return visitorOf({ presented: presentedBy(socket), roots, now: clock.now(), grace })
    } catch (error) {
      return { is: 'stranger', reason: `the certificate cannot be read: ${explain(error)}`, late: false }
    }
  }

  /** Why a node with a good certificate may not come in; undefined when it may. */
  barred(node: string, serial: string): Barred | undefined {
    return barred(this.options.identityOf(node), serial)
  }

  /** How an enrolling connection is introduced to the enroller. */
  caller(socket: unknown): Caller {
    const visitor = this.visitor(socket)
    const source = sourceOf(socket instanceof TLSSocket ? socket.remoteAddress : undefined)
    if (visitor.is !== 'stranger') return { source, node: { name: visitor.node, serial: visitor.serial } }
    const { reason, late } = visitor
    const advice = 'the node has to join anew, with a token'
    return { source, unfit: { code: late ? 'too-late' : 'csr-invalid', reason: `${reason}: ${advice}` } }
  }

  #trusted(): Certificate[] {
    const text = this.options.issuer.roots()
    if (this.#roots?.text !== text) this.#roots = { text, read: readCertificates(text) }
    return this.#roots.read
  }
}
