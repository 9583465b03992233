import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { caCommand } from '@kedge/cloudcore/cli/ca'
import { BuiltInCa } from '@kedge/cloudcore/identity/built-in'
import { SecretCaStore } from '@kedge/cloudcore/identity/ca-store'
import { createAtHome, secretPath } from '@kedge/cloudcore/identity/home'
import { hashOf, identityName, identitySecret, type NodeIdentity } from '@kedge/cloudcore/identity/records'
import { sealingKey } from '@kedge/cloudcore/identity/sealed-key'
import { loadX509, newSerial } from '@kedge/cloudcore/identity/x509'
import type { Kube } from '@kedge/cloudcore/kube/api'
import { openKube } from '@kedge/cloudcore/kube/client'
import { hasCode } from '@kedge/cloudcore/kube/errors'
import { systemClock as clock } from '@kedge/shared/clock'
import { derOf } from '@kedge/shared/identity/certificate'
import { contentOf, onlyElement, tags } from '@kedge/shared/identity/der'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../../../support/kube.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let server: TestServer
let kube: Kube

beforeAll(async () => {
  server = await startTestServer()
  kube = openKube({ kubeconfig: server.kubeconfig })
})
afterAll(async () => {
  kube?.close()
  await server?.stop()
})
afterEach(async () => {
  for (const name of ['kedge-ca', identityName('edge-1'), identityName('edge-2')])
    await kube.delete(secretPath(name)).catch((error: unknown) => {
      if (!hasCode(error, 404)) throw error
    })
})

const ca = (...argv: string[]) =>
  caCommand([...argv, '--kubeconfig', server.kubeconfig], { env: {}, now: Date.now(), note: () => {} })
const make = () => BuiltInCa.open({ store: new SecretCaStore(kube), clock })
const certificatesIn = (text: string) => text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []

/** The record of a node with one certificate, issued at `at`. */
async function joined(node: string, at: number, more: Partial<NodeIdentity> = {}): Promise<string> {
  const serial =
    hashOf(node).replace(/\W/g, '').length.toString(16).padStart(2, '0') + (node === 'edge-1' ? '01' : '02')
  const issued = [{ serial, key: hashOf(node), at, end: at + 1e9 }]
  const identity: NodeIdentity = { node, issued, secrets: [], only: false, ...more }
  await createAtHome(kube, 'secrets', identitySecret(identity, 'kedge'))
  return serial
}

describe('cloudcore ca', () => {
  it('says what to do where there is no authority yet, and what its words are', async () => {
    for (const word of ['list', 'rotate', 'retire', 'bundle', 'crl']) {
      await expect(ca(word)).rejects.toThrow('there is no authority yet: cloudcore makes it when it starts')
    }
    await expect(ca('renew')).rejects.toThrow(/found "ca renew"; .* list, rotate, retire, bundle, crl; .*--help/)
    await expect(ca('constructor')).rejects.toThrow(/found "ca constructor"/)
    await expect(ca('list', 'all')).rejects.toThrow(/found "ca list all"/)
    expect(await ca('--help')).toContain('Usage: cloudcore ca list')
  })

  it('rotates, lists, and bundles', async () => {
    const before = await make()
    expect(await ca('rotate', '--spread', '2h')).toMatch(/signs from now on; .* stays trusted\n.* within 2h/)
    const after = await make()
    expect(after.pin()).not.toBe(before.pin())
    const [head, first, second] = (await ca('list')).split('\n')
    expect(head).toMatch(/^AUTHORITY +ROLE +SINCE +UNTIL +PIN$/)
    expect(first).toMatch(new RegExp(` signs .* ${after.pin()}$`))
    expect(second).toMatch(new RegExp(` trusted .* ${before.pin()}$`))
    expect(await ca('bundle')).toBe(after.roots())
    expect(certificatesIn(await ca('bundle'))).toHaveLength(2)
    await expect(ca('rotate', '--spread', '1y')).rejects.toThrow(/--spread: found "1y"; give a duration/)
  })

  it('retires no authority that nodes still need, unless told to', async () => {
    await make()
    await joined('edge-1', Date.now() - 1000)
    await joined('edge-2', Date.now() - 1000, { revoked: '2030-01-01T00:00:00Z' })
    await expect(ca('retire')).rejects.toThrow(/nothing to retire/)
    await ca('rotate')
    expect(await ca('list')).toContain('1 node still has a certificate of an earlier authority')
    await expect(ca('retire')).rejects.toThrow(/1 node still has .* \(edge-1\): wait .*--force/)
    expect(await ca('retire', '--force')).toMatch(/^kedge-ca-\w+ is not trusted any more; only kedge-ca-\w+ is\n$/)
    expect(certificatesIn(await ca('bundle'))).toHaveLength(1)
  })

  it('retires when all have renewed', async () => {
    await make()
    await ca('rotate')
    await joined('edge-1', Date.now() + 1000)
    expect(await ca('retire')).toContain('is not trusted any more')
  })

  it('lists the certificates of nodes that are shut out, for each authority', async () => {
    const before = await make()
    await ca('rotate')
    const authorities = certificatesIn((await make()).roots())
    const out = await joined('edge-1', Date.now(), { revoked: '2030-01-01T00:00:00Z' })
    const replaced = { serial: newSerial(), key: 'k'.repeat(43), at: Date.now(), end: Date.now() + 86_400_000 }
    const fine = await joined('edge-2', Date.now(), { out: [replaced] })
    const x509 = await loadX509()
    const lists = (await ca('crl', '--days', '7')).match(/-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g) ?? []
    expect(lists).toHaveLength(2)
    for (const [index, text] of lists.entries()) {
      const list = new x509.X509Crl(derOf(text))
      const authority = new x509.X509Certificate(authorities[index] ?? '')
      expect(list.issuer).toBe(authority.subject)
      expect(await list.verify({ publicKey: authority })).toBe(true)
      expect(list.findRevoked(out)?.serialNumber).toBe(out)
      expect(list.findRevoked(fine)).toBeNull()
      expect(list.findRevoked(replaced.serial)?.serialNumber).toBe(replaced.serial)
      const number = contentOf(
        onlyElement(Buffer.from(list.getExtension('2.5.29.20')?.value ?? new ArrayBuffer(0))),
        tags.integer,
      )
      expect(Math.abs(number.readIntBE(0, number.length) - Date.now() / 1000)).toBeLessThan(600)
      const span = (list.nextUpdate?.getTime() ?? 0) - Date.now()
      expect(Math.round(span / 86_400_000)).toBe(7)
    }
    expect(new X509Certificate(before.roots()).subject).toBe(new X509Certificate(authorities[1] ?? '').subject)
    await expect(ca('crl', '--days', '0')).rejects.toThrow(/--days: found "0"; give a whole number/)
  })

  it('opens a sealed one with its key file, and says when that is missing', async () => {
    const path = join(tempDir(), 'ca.key')
    const key = sealingKey(path)
    await BuiltInCa.open({ store: new SecretCaStore(kube, key), clock })
    expect(await ca('list', '--ca-key-file', path)).toContain('signs')
    await expect(ca('list')).rejects.toThrow(/is sealed: give the key file/)
    await expect(ca('list', '--ca-key-file', `${path}.gone`)).rejects.toThrow(/--ca-key-file: there is no file/)
    writeFileSync(path, 'nonsense')
    await expect(ca('rotate', '--ca-key-file', path)).rejects.toThrow(/holds no key/)
  })
})
