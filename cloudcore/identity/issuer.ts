/** What a node asks for, after the policy has judged it (`csr-policy.ts`) and the registry has agreed. */
export interface SignRequest {
  /** PEM, PKCS#10. Of all that it says, only its public key gets into the certificate. */
  csr: string
  /** Whom the certificate is for: `CN=system:node:<node>, O=system:nodes`. */
  node: string
  /** For how long it is good; an issuer may give less, never more. */
  days: number
}

export interface Signed {
  /** PEM, the node's certificate first, then what leads from it to a root. */
  chain: string
}

/** Milliseconds since the epoch. */
export interface RenewalWindow {
  from: number
  to: number
}

/** A certificate of a node: PEM, or, where that is not at hand, when it was issued, in milliseconds since the epoch. */
export type HeldCertificate = string | { issuedAt: number }

/** Signs certificates of nodes. */
export interface Issuer {
  /** As in the settings: `built-in`, `cert-manager:ClusterIssuer/edge`, `kubernetes-csr`. */
  readonly name: string
  /**
   * Signs. Throws an `IssuerRefusal` when this request will never be signed, and an ordinary error when a later try may
   * succeed. What it resolves with has been checked: it is for this node and this key, and `roots()` vouches for it.
   */
  sign(request: SignRequest): Promise<Signed>
  /** PEM: all that nodes must trust, and that vouches for nodes. Never empty. */
  roots(): string
  /** When the node with this certificate should renew it earlier than it would by itself; undefined: it need not. */
  renewalWindow(node: string, held: HeldCertificate): RenewalWindow | undefined
  /** Calls back whenever `roots()` or the windows have changed; returns what ends that. */
  onChange(listener: () => void): () => void
}

/** The issuer said no, with the reason in words; asking again for the same makes no difference. */
export class IssuerRefusal extends Error {
  override name = 'IssuerRefusal'
}

/** The certificate that cloudcore shows to nodes on the link. */
export interface LinkCertificate {
  /** PEM: the certificate of the server, then the chain up to and including the roots; and its key. */
  current(): { cert: string; key: string }
  /** base64url of the SHA-256 of the public key (DER, SPKI) of the authority at the chain's end: what join tokens pin. */
  pin(): string
  /** Calls back when there is another certificate to show; returns what ends that. */
  onChange(listener: () => void): () => void
}
