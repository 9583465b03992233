import { execFileSync } from 'node:child_process'
import { csrFor, newKey } from '@kedge/edgecore/identity/csr'
import { expect, test } from 'vitest'

test('a request is one that OpenSSL verifies, with the name of the node and nothing else', () => {
  const csr = csrFor(newKey(), 'edge-1.site-2')
  const args = ['req', '-verify', '-noout', '-subject', '-text', '-nameopt', 'RFC2253']
  const told = execFileSync('openssl', args, { input: csr, encoding: 'utf8', stdio: 'pipe' })
  expect(told).toContain('subject=CN=system:node:edge-1.site-2,O=system:nodes\n')
  expect(told).toContain('ASN1 OID: prime256v1')
  expect(told).toMatch(/Attributes:\s+\(none\)\s+Requested Extensions:\s+Signature/)
})

test('every key is another one', () => {
  expect(newKey()).not.toBe(newKey())
})
