import { randomBytes, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Authority } from '@kedge/cloudcore/identity/authority'
import { makeAuthority } from '@kedge/cloudcore/identity/certificates'
import { describe, expect, it } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const day = 24 * 3600 * 1000
const key = { path: '/key', bytes: randomBytes(32) }
const names = { dns: ['localhost'], ips: ['127.0.0.1', '::1'] }

function handClock(start: number) {
  let ms = start
  return {
    now: () => ms,
    monotonic: () => ms,
    advance: (by: number) => {
      ms += by
    },
  }
}

describe('the authority', () => {
  it('is made once, and signs for the names of a server', async () => {
    const dir = tempDir()
    const clock = handClock(Date.UTC(2030, 0, 1))
    const first = await Authority.open(dir, clock, key)
    const second = await Authority.open(dir, clock, key)
    expect(second.cert).toBe(first.cert)
    const { pair } = await second.serverPair(names)
    const server = new X509Certificate(pair.cert)
    expect(server.checkIssued(new X509Certificate(first.cert))).toBe(true)
    expect(server.verify(new X509Certificate(first.cert).publicKey)).toBe(true)
    expect(server.checkHost('localhost')).toBe('localhost')
    expect(server.checkIP('::1')).toBeTruthy()
    expect(server.checkHost('elsewhere.example')).toBeUndefined()
  })

  it('renews a certificate near its end, or when its names change, and not before', async () => {
    const clock = handClock(Date.UTC(2030, 0, 1))
    const authority = await Authority.open(tempDir(), clock, key)
    const renewed = async (of = names) => (await authority.serverPair(of)).renewed
    expect([await renewed(), await renewed()]).toEqual([true, false])
    clock.advance(200 * day)
    expect(await renewed()).toBe(false)
    clock.advance(60 * day)
    expect([await renewed(), await renewed()]).toEqual([true, false])
    expect(await renewed({ ...names, ips: ['127.0.0.1', '10.1.2.3'] })).toBe(true)
  })

  it('names clients as Kubernetes does', async () => {
    const clock = handClock(Date.UTC(2030, 0, 1))
    const authority = await Authority.open(tempDir(), clock, key)
    const { cert } = await authority.clientPair({ user: 'system:node:n', groups: ['system:nodes'], days: 30 })
    const client = new X509Certificate(cert)
    expect(client.subject).toBe('CN=system:node:n\nO=system:nodes')
    expect(Date.parse(client.validTo)).toBe(Date.UTC(2030, 0, 31))
  })

  it('says what to do about a file that holds no key', async () => {
    const dir = tempDir()
    writeFileSync(join(dir, 'ca.pem'), 'nothing')
    await expect(Authority.open(dir, handClock(0), key)).rejects.toThrow(
      /ca\.pem does not hold a certificate and its key/,
    )
  })

  it('never has its key on disk as it is', async () => {
    const dir = tempDir()
    const first = await Authority.open(dir, handClock(0), key)
    expect(readFileSync(join(dir, 'ca.sealed'), 'utf8')).not.toContain('PRIVATE')
    const other = { path: '/other', bytes: randomBytes(32) }
    await expect(Authority.open(dir, handClock(0), other)).rejects.toThrow(/cannot be unsealed with \/other/)
    expect((await Authority.open(dir, handClock(0), key)).cert).toBe(first.cert)
  })

  it('seals a key that lay there as it was, and takes the plain one away', async () => {
    const dir = tempDir()
    const { cert, key: plain } = await makeAuthority(0)
    writeFileSync(join(dir, 'ca.pem'), cert + plain)
    expect((await Authority.open(dir, handClock(0), key)).cert).toBe(cert)
    expect(existsSync(join(dir, 'ca.pem'))).toBe(false)
    // As a start leaves it that is cut off before the plain one is removed.
    writeFileSync(join(dir, 'ca.pem'), cert + plain)
    const again = await Authority.open(dir, handClock(0), key)
    expect(existsSync(join(dir, 'ca.pem'))).toBe(false)
    const client = await again.clientPair({ user: 'u', groups: [], days: 1 })
    expect(new X509Certificate(client.cert).verify(new X509Certificate(cert).publicKey)).toBe(true)
  })
})
