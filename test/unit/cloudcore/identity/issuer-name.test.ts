import { issuerText, parseIssuer } from '@kedge/cloudcore/identity/issuer-name'
import { describe, expect, it } from 'vitest'

describe('the name of an issuer', () => {
  const right = [
    'built-in',
    'cert-manager:Issuer/edge',
    'cert-manager:ClusterIssuer/edge-ca.v2',
    'cert-manager:AWSPCAClusterIssuer.awspca.cert-manager.io/edge',
    'kubernetes-csr',
    'kubernetes-csr:signers.example.com/edge',
  ]
  it.each(right)('is read and written: %s', (text) => {
    const issuer = parseIssuer(text)
    expect(issuer && issuerText(issuer)).toBe(text)
  })

  const wrong = [
    '',
    'builtin',
    'cert-manager',
    'cert-manager:edge',
    'cert-manager:Certificate/edge',
    'cert-manager:Issuer/',
    'cert-manager:Issuer/a/b',
    'cert-manager:Issuer/Edge',
    'kubernetes-csr:',
    'kubernetes-csr:edge',
    'kubernetes-csr:example.com/a b',
  ]
  it.each(wrong)('is refused: %j', (text) => {
    expect(parseIssuer(text)).toBeUndefined()
  })
})
