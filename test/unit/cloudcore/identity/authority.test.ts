import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Authority } from '@kedge/cloudcore/identity/authority'
import { describe, expect, it } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const day = 24 * 3600 * 1000
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
    const first = await Authority.open(dir, clock)
    const second = await Authority.open(dir, clock)
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
    const authority = await Authority.open(tempDir(), clock)
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
    const authority = await Authority.open(tempDir(), clock)
    const { cert } = await authority.clientPair({ user: 'system:node:n', groups: ['system:nodes'], days: 30 })
    const client = new X509Certificate(cert)
    expect(client.subject).toBe('CN=system:node:n\nO=system:nodes')
    expect(Date.parse(client.validTo)).toBe(Date.UTC(2030, 0, 31))
  })

  it('says what to do about a file that holds no key', async () => {
    const dir = tempDir()
    writeFileSync(join(dir, 'ca.pem'), 'nothing')
    await expect(Authority.open(dir, handClock(0))).rejects.toThrow(/ca\.pem does not hold a certificate and its key/)
  })
})
