import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { element, oid, tags } from '@kedge/shared/identity/der'

/** A new P-256 key, PEM (PKCS#8). */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * A certificate request (PKCS#10, RFC 2986) for a node, PEM: `O=system:nodes, CN=system:node:<node>` and nothing else,
 * signed with `key`, a P-256 key in PEM.
 */
export function csrFor(key: string, node: string): string {
  const privateKey = createPrivateKey(key)
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const subject = element(
    tags.sequence,
    attribute('2.5.4.10', tags.utf8, 'system:nodes'),
    attribute('2.5.4.3', tags.utf8, `system:node:${node}`),
  )
  const noAttributes = element(0xa0)
  const info = element(tags.sequence, element(tags.integer, Buffer.of(0)), subject, spki, noAttributes)
  const algorithm = element(tags.sequence, oid('1.2.840.10045.4.3.2'))
  const signature = element(tags.bitString, Buffer.of(0), sign('sha256', info, privateKey))
  return pem('CERTIFICATE REQUEST', element(tags.sequence, info, algorithm, signature))
}

function attribute(type: string, tag: number, text: string): Buffer {
  return element(tags.set, element(tags.sequence, oid(type), element(tag, Buffer.from(text))))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}
