import { createPrivateKey, X509Certificate } from 'node:crypto'
import { BuiltInCa } from '@kedge/cloudcore/identity/built-in'
import { OwnLinkCertificate } from '@kedge/cloudcore/identity/link-certificate'
import { retireCa, rotateCa } from '@kedge/cloudcore/identity/rotate-ca'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { verifyChain, verifyPinned } from '@kedge/shared/identity/verify'
import { silentLog } from '@kedge/shared/log'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryCaStore } from '../../../support/ca-store.ts'
import { makeCsr } from '../../../support/csr.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const day = 24 * 3600 * 1000
const hour = 3600 * 1000
const names = { dns: ['cloud.example'], ips: ['127.0.0.1'] }

/** An authority with a link certificate, and what people do with it while both run. */
async function world() {
  const clock = new HandClock(Date.UTC(2030, 0, 1))
  const store = new MemoryCaStore()
  const ca = await BuiltInCa.open({ store, clock })
  const link = await OwnLinkCertificate.open({ ca, names, clock, log: silentLog })
  onTestFinished(() => link.stop())
  const taken = async () => {
    if (store.kept !== undefined) ca.take(store.kept)
    await link.tend()
  }
  return {
    clock,
    store,
    ca,
    link,
    async rotate(spread = hour) {
      await rotateCa(store, { clock, spread })
      await taken()
    },
    async retire() {
      await retireCa(store)
      await taken()
    },
    async leaf(node = 'edge-1') {
      return (await ca.sign({ csr: makeCsr(node), node, days: 90 })).chain
    },
    /** What a node that trusts `roots` says of the server. */
    server: (roots: string) =>
      verifyChain({
        presented: readCertificates(link.current().cert),
        roots: readCertificates(roots),
        at: clock.now(),
        use: 'server',
        host: 'cloud.example',
      }).ok,
    /** What cloudcore says of a node with this chain. */
    client: (chain: string) =>
      verifyChain({
        presented: readCertificates(chain),
        roots: readCertificates(ca.roots()),
        at: clock.now(),
        use: 'client',
      }).ok,
    pinned: (pin: string) =>
      verifyPinned({
        presented: readCertificates(link.current().cert),
        pin,
        at: clock.now(),
        use: 'server',
        host: 'cloud.example',
      }).ok,
  }
}

describe('a rotation of the authority', () => {
  it('leaves nobody outside: neither who knows the old root, nor whose certificate it signed, nor who has a token', async () => {
    const { ca, rotate, leaf, server, client, pinned } = await world()
    const [old, pin, certificate] = [ca.roots(), ca.pin(), await leaf()]
    await rotate()
    expect(ca.pin()).not.toBe(pin)
    expect([server(old), client(certificate), pinned(pin)]).toEqual([true, true, true])
    expect([server(ca.roots()), client(await leaf()), pinned(ca.pin())]).toEqual([true, true, true])
    const second = ca.roots()
    await rotate()
    expect([server(old), server(second), client(certificate), pinned(pin)]).toEqual([true, true, true, true])
    expect(readCertificates(ca.roots())).toHaveLength(3)
  })

  it('shuts out what is old once that is retired', async () => {
    const { ca, rotate, retire, leaf, server, client, pinned } = await world()
    const [old, pin, certificate] = [ca.roots(), ca.pin(), await leaf()]
    await rotate()
    const renewed = await leaf()
    await retire()
    expect([server(old), client(certificate), pinned(pin)]).toEqual([false, false, false])
    expect([server(ca.roots()), client(renewed), pinned(ca.pin())]).toEqual([true, true, true])
    expect(readCertificates(ca.roots())).toHaveLength(1)
  })

  it('has old certificates renewed over the spread, each node at the same time wherever it is asked', async () => {
    const { ca, clock, store, rotate, leaf } = await world()
    const nodes = Array.from({ length: 200 }, (_, n) => `edge-${n}`)
    const before = await leaf('any')
    expect(ca.renewalWindow('edge-1', before)).toBeUndefined()
    await rotate(hour)
    const windows = nodes.map((node) => ca.renewalWindow(node, before))
    const starts = windows.map((window) => (window?.from ?? 0) - clock.now())
    expect(Math.min(...starts)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...windows.map((window) => window?.to ?? 0))).toBeLessThanOrEqual(clock.now() + hour)
    for (const quarter of [0, 1, 2, 3]) {
      const within = starts.filter((start) => Math.floor(start / ((0.95 * hour) / 4)) === quarter)
      expect(within.length).toBeGreaterThan(25)
    }
    const again = await BuiltInCa.open({ store, clock })
    expect(nodes.map((node) => again.renewalWindow(node, before))).toEqual(windows)
    expect(ca.renewalWindow('edge-1', await leaf('edge-1'))).toBeUndefined()
    // Behind another broker only the time is known.
    expect(nodes.map((node) => ca.renewalWindow(node, { issuedAt: clock.now() - 1 }))).toEqual(windows)
    expect(ca.renewalWindow('edge-1', { issuedAt: clock.now() })).toBeUndefined()
  })

  it('is refused while two earlier ones are trusted, and while somebody else rotates', async () => {
    const { clock, store, rotate, retire } = await world()
    const spread = hour
    const outcomes = await Promise.allSettled([1, 2].map(() => rotateCa(store, { clock, spread })))
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await rotate()
    await expect(rotateCa(store, { clock, spread })).rejects.toThrow(/2 earlier .* cloudcore ca retire/)
    await retire()
    await expect(retireCa(store)).rejects.toThrow(/nothing to retire/)
    await rotate()
  })

  it('forgets an earlier authority that has ended', async () => {
    const { ca, clock, rotate, server } = await world()
    await rotate()
    const both = ca.roots()
    clock.jump(3651 * day)
    expect(readCertificates(both)).toHaveLength(2)
    expect(readCertificates(ca.roots())).toHaveLength(1)
    // Both ended on the same day here: nothing is valid any more, and that is what everybody says.
    expect(server(both)).toBe(false)
  })
})

describe('the certificate of the link', () => {
  it('is for its names, with its key, and good for a board whose clock went back to its own certificate', async () => {
    const { link, ca, leaf, clock } = await world()
    const { cert, key } = link.current()
    expect(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))).toBe(true)
    const [own] = readCertificates(await leaf())
    const presented = readCertificates(cert)
    const roots = readCertificates(ca.roots())
    const at = own?.notBefore ?? 0
    expect(at).toBe(clock.now() - day)
    for (const host of ['cloud.example', '127.0.0.1']) {
      expect(verifyChain({ presented, roots, at, use: 'server', host })).toMatchObject({ ok: true })
    }
    const elsewhere = verifyChain({ presented, roots, at: clock.now(), use: 'server', host: 'other.example' })
    expect(elsewhere).toMatchObject({ fault: 'wrong-host' })
  })

  it('is made anew in the last third of its life, and when the authority changes', async () => {
    const { link, clock, rotate } = await world()
    const seen: string[] = []
    onTestFinished(link.onChange(() => seen.push(link.current().cert)) as () => void)
    const first = link.current().cert
    clock.jump(200 * day)
    await link.tend()
    expect(link.current().cert).toBe(first)
    clock.jump(60 * day)
    await link.tend()
    await rotate()
    expect(new Set([first, ...seen]).size).toBe(3)
    expect(link.current().cert).toBe(seen[1])
  })
})
