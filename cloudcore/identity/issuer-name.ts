/** Who signs for nodes, as the setting `issuer` names it. */
export type IssuerName =
  | { is: 'built-in' }
  /** An issuer of cert-manager, or of another group that signs its CertificateRequests. */
  | { is: 'cert-manager'; kind: string; name: string; group: string }
  /** CertificateSigningRequests of Kubernetes, which another program signs unless `signer` is `ownSigner`. */
  | { is: 'kubernetes-csr'; signer: string }

/** What cloudcore signs itself, in its own authority's name. */
export const ownSigner = 'kedge.io/node'

export const issuerForms =
  'built-in, cert-manager:Issuer/NAME, cert-manager:ClusterIssuer/NAME, kubernetes-csr, or kubernetes-csr:DOMAIN/SIGNER'

const certManager = /^cert-manager:([A-Za-z]+)(?:\.([a-z0-9.-]+))?\/([a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/
const signer = /^kubernetes-csr:([a-z0-9-]+(?:\.[a-z0-9-]+)+\/\S+)$/
const ownGroup = 'cert-manager.io'

/**
 * Reads `built-in`, `cert-manager:KIND[.GROUP]/NAME`, `kubernetes-csr` or `kubernetes-csr:SIGNER`; undefined for anything
 * else.
 */
export function parseIssuer(text: string): IssuerName | undefined {
  if (text === 'built-in') return { is: 'built-in' }
  if (text === 'kubernetes-csr') return { is: 'kubernetes-csr', signer: ownSigner }
  const given = signer.exec(text)?.[1]
  if (given !== undefined) return { is: 'kubernetes-csr', signer: given }
  const [, kind, group = ownGroup, name] = certManager.exec(text) ?? []
  if (kind === undefined || name === undefined) return undefined
  const known = group !== ownGroup || kind === 'Issuer' || kind === 'ClusterIssuer'
  return known ? { is: 'cert-manager', kind, name, group } : undefined
}

/** As `parseIssuer` reads it. */
export function issuerText(issuer: IssuerName): string {
  if (issuer.is === 'built-in') return issuer.is
  if (issuer.is === 'kubernetes-csr') return issuer.signer === ownSigner ? issuer.is : `${issuer.is}:${issuer.signer}`
  const group = issuer.group === ownGroup ? '' : `.${issuer.group}`
  return `${issuer.is}:${issuer.kind}${group}/${issuer.name}`
}
