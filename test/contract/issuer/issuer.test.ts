import { type Issuer, IssuerRefusal } from '@kedge/cloudcore/identity/issuer'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { nodeOf, verifyChain } from '@kedge/shared/identity/verify'
import type { Service } from '@kedge/shared/service'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { extensions, type KeyPair, makeCsr, p256 } from '../../support/csr.ts'
import { eventually } from '../../support/eventually.ts'
import { uniqueName } from '../../support/kube.ts'
import { manifests, rightsOf } from '../../support/rights.ts'
import { type Api, type IssuerRig, openApi, suites } from './rigs.ts'
import type { Mood, Signer } from './signer.ts'

const day = 24 * 3600 * 1000

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api?.close())

describe.each(suites)('$name', ({ name, others, component, start }) => {
  let rig: IssuerRig
  let issuer: Issuer & Partial<Service>
  const nodeName = () => uniqueName('issuer-test')

  beforeAll(async () => {
    rig = await start(api)
    issuer = await rig.open()
  })
  afterAll(async () => {
    await issuer?.stop?.()
    await rig?.close?.()
  })

  async function signed(node: string, keys = p256(), by: Issuer = issuer) {
    const { chain } = await by.sign({ csr: makeCsr(node, { keys }), node, days: 90 })
    return readCertificates(chain)
  }

  const judge = (presented: ReturnType<typeof readCertificates>, roots = issuer.roots()) =>
    verifyChain({ presented, roots: readCertificates(roots), at: Date.now(), use: 'client' })

  it('signs for a node and its key, vouched for by its roots', async () => {
    const [node, keys] = [nodeName(), p256()]
    const chain = await signed(node, keys)
    expect(judge(chain)).toMatchObject({ ok: true })
    const [leaf] = chain
    expect(leaf && nodeOf(leaf)).toBe(node)
    expect(leaf?.x509.publicKey.equals(keys.publicKey)).toBe(true)
    expect(leaf?.x509.subjectAltName).toBeUndefined()
    expect(leaf?.uses).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect((leaf?.notAfter ?? 0) - Date.now()).toBeGreaterThan(89 * day)
    expect((leaf?.notAfter ?? 0) - Date.now()).toBeLessThan(91 * day)
  })

  it('gives no certificate for a server, nor vouches for one', async () => {
    const presented = await signed(nodeName())
    const roots = readCertificates(issuer.roots())
    expect(verifyChain({ presented, roots, at: Date.now(), use: 'server' })).toMatchObject({ fault: 'wrong-use' })
  })

  it('signs for many at once, each its own', async () => {
    const nodes = Array.from({ length: 4 }, nodeName)
    const chains = await Promise.all(nodes.map((node) => signed(node)))
    expect(chains.map(([leaf]) => leaf && nodeOf(leaf))).toEqual(nodes)
    expect(new Set(chains.map(([leaf]) => leaf?.serial)).size).toBe(nodes.length)
  })

  it('puts nothing else into a certificate, whatever the request says', async () => {
    const node = nodeName()
    const csr = makeCsr(node, { extensions: [extensions.altName('cloud.example')] })
    const { chain } = await issuer.sign({ csr, node, days: 90 })
    const [leaf] = readCertificates(chain)
    expect(leaf?.x509.subjectAltName).toBeUndefined()
    expect(leaf?.authority).toBe(false)
  })

  it('vouches after a restart for what it signed before', async () => {
    const chain = await signed(nodeName())
    const again = await rig.open()
    onTestFinished(() => again.stop?.())
    expect(judge(chain, again.roots())).toMatchObject({ ok: true })
  })

  it('suggests no renewal where nothing has changed', async () => {
    const node = nodeName()
    const { chain } = await issuer.sign({ csr: makeCsr(node), node, days: 90 })
    expect(issuer.renewalWindow(node, chain)).toBeUndefined()
  })

  it.runIf(component !== undefined)('needs the rights of its component, and no others', async () => {
    const given = rightsOf(manifests(`issuers/${component}/rights.yaml`), 'cloudcore')
    // What is no request: to say yes in a signer's name, and to sign in it.
    const asked = given.filter(({ resource }) => !resource.startsWith('signers.'))
    const node = nodeName()
    // More than are kept: the oldest go.
    await eventually(async () => {
      await signed(node)
      return [...(rig.used ?? [])].some((right) => right.startsWith('delete '))
    })
    const rights = asked.map(({ verb, resource }) => `${verb} ${resource}`)
    // It reads one by itself only where somebody else was faster.
    const sometimes = (right: string) => !right.startsWith('get ')
    expect([...(rig.used ?? [])].filter(sometimes).toSorted()).toEqual(rights.filter(sometimes).toSorted())
    expect(rights).toEqual(expect.arrayContaining([...(rig.used ?? [])]))
  })

  describe.runIf(others)('signed by others', () => {
    let signer: Signer
    beforeAll(() => {
      if (rig.signer !== undefined) signer = rig.signer
    })

    function inMood(mood: Mood): string {
      const node = uniqueName('issuer-test')
      signer.moods.set(node, mood)
      return node
    }

    const sign = (node: string, keys?: KeyPair, by: Issuer = issuer) =>
      by.sign({ csr: makeCsr(node, keys && { keys }), node, days: 90 })

    it('says so for good when a request is denied', async () => {
      const humble = await rig.open({ mayApprove: false })
      onTestFinished(() => humble.stop?.())
      const error = await caught(sign(inMood('denies'), undefined, humble))
      expect(error).toBeInstanceOf(IssuerRefusal)
      expect(error.message).toContain(name.split(' ')[0])
      expect(error.message).toMatch(/Denied policy\.example: no such board/)
    })

    it('waits for others to approve where it may not', async () => {
      const humble = await rig.open({ mayApprove: false })
      onTestFinished(() => humble.stop?.())
      const node = inMood('silent')
      const waiting = sign(node, undefined, humble)
      await eventually(() => signer.of(node).length === 1)
      signer.turn(node, 'approves')
      await expect(waiting).resolves.toBeDefined()
    })

    it('says so when signing failed, and makes another request when it is asked again', async () => {
      const [node, keys] = [inMood('fails'), p256()]
      const error = await caught(sign(node, keys))
      expect(error).not.toBeInstanceOf(IssuerRefusal)
      expect(`${error.message} ${error.cause}`).toMatch(/Failed|KeyMissing/)
      signer.turn(node, 'signs')
      await expect(sign(node, keys)).resolves.toMatchObject({ chain: expect.stringContaining('CERTIFICATE') })
      expect(signer.of(node)).toHaveLength(2)
    })

    it('leaves approved what somebody else has approved', async () => {
      const node = inMood('approves')
      await sign(node)
      const [request] = await eventually(() => signer.of(node))
      const conditions = request?.status?.conditions as { type: string }[] | undefined
      expect(conditions?.filter(({ type }) => type === 'Approved')).toHaveLength(1)
    })

    it('gives a node that comes back with the same key what came of its request', async () => {
      const hasty = await rig.open({ patience: 100 })
      onTestFinished(() => hasty.stop?.())
      const [node, keys] = [inMood('silent'), p256()]
      for (let times = 0; times < 2; times++) {
        const error = await caught(sign(node, keys, hasty))
        expect(error).not.toBeInstanceOf(IssuerRefusal)
        expect(`${error.cause}`).toMatch(/not signed in time: .*; ask again later/)
      }
      // Signed while nobody waits, as when a person has said yes.
      await eventually(() => signer.of(node).length > 0)
      signer.turn(node, 'signs')
      await eventually(() => signer.of(node)[0]?.status?.certificate)
      const chains = [await sign(node, keys, hasty), await sign(node, keys, hasty)].map(({ chain }) => chain)
      expect(chains[1]).toBe(chains[0])
      expect(signer.of(node)).toHaveLength(1)
    })

    it('says what is missing where the API does not know such requests', async () => {
      const bare = await rig.open({ known: false })
      onTestFinished(() => bare.stop?.())
      const error = await caught(sign(inMood('signs'), undefined, bare))
      expect(error).not.toBeInstanceOf(IssuerRefusal)
      expect(`${error.cause}`).toMatch(/choose another --issuer/)
    })

    it('keeps the last three requests of a node', async () => {
      const node = inMood('signs')
      for (let n = 0; n < 5; n++) await sign(node)
      await eventually(() => signer.of(node).length === 3)
    })

    const wrong: [Mood, RegExp][] = [
      ['signs for another node', /its subject is somebody-else, not the node's/],
      ['signs for another key', /it is for another key/],
      ['adds a name', /it has alternative names/],
      ['signs for years', /good for longer than 90 days/],
      ['signs as a stranger', /nobody who is trusted vouches .*--issuer-roots/],
    ]
    it.each(wrong)('takes nothing from a signer that %s', async (mood, reason) => {
      const [node, keys] = [inMood(mood), p256()]
      const error = await caught(sign(node, keys))
      expect(error).toBeInstanceOf(IssuerRefusal)
      expect(error.message).toMatch(reason)
      signer.turn(node, 'signs')
      await expect(sign(node, keys)).resolves.toBeDefined()
    })

    it.runIf(name === 'cert-manager')('trusts an authority that comes and the one before it', async () => {
      const [node, keys] = [inMood('signs'), p256()]
      const { chain } = await sign(node, keys)
      const before = issuer.roots()
      let changes = 0
      onTestFinished(issuer.onChange(() => changes++) as () => void)
      await signer.renew()
      await sign(inMood('signs'))
      expect(changes).toBe(1)
      expect(issuer.roots()).toContain(before)
      expect(issuer.roots()).toContain(signer.root)
      const roots = readCertificates(issuer.roots())
      expect(verifyChain({ presented: readCertificates(chain), roots, at: Date.now(), use: 'client' }).ok).toBe(true)
    })
  })
})

async function caught(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof Error) return error
  throw new Error('it was not refused')
}
