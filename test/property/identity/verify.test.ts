import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Certificate, readCertificate, readCertificates } from '@kedge/shared/identity/certificate'
import { type Use, type Verdict, verifyChain } from '@kedge/shared/identity/verify'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  authority,
  certificatePem,
  critical,
  day,
  type Holder,
  holder,
  makeCertificate,
  noon,
  server,
} from '../../support/certificates.ts'
import { clientAuth, extension, extensions, serverAuth } from '../../support/csr.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** Compares with OpenSSL: what it refuses for another reason than the time is never accepted. */

const [old, next, middle, evil, node] = ['old', 'new', 'middle', 'evil', 'node'].map((name) => holder(name)) as [
  Holder,
  Holder,
  Holder,
  Holder,
  Holder,
]
/** Has the name of a root that is trusted, and a key of its own. */
const impostor = holder('old', evil.keys)
const host = 'cloud.example'

const mostly = <T>(right: T, ...wrong: T[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(right) }, { weight: 2, arbitrary: fc.constantFrom(...wrong) })

const times = mostly(
  { from: noon - day, to: noon + day },
  { from: noon - 9 * day, to: noon - day },
  {
    from: noon + day,
    to: noon + 9 * day,
  },
)

const authorities = mostly(
  authority(),
  authority(0),
  [extensions.noAuthority(), extensions.keyUsage(0x06)],
  [extensions.authority(), extensions.keyUsage(0x80)],
  [extensions.authority(), extensions.uses(clientAuth)],
  [],
)

const leaves = fc.record({
  issuer: fc.constantFrom(old, next, middle, evil, impostor, node),
  times,
  forged: mostly(false, true),
  extensions: mostly(
    [...server(host), extensions.uses(serverAuth, clientAuth)].toSpliced(1, 1),
    server(host),
    [extensions.keyUsage(0x80), extensions.uses(clientAuth)],
    [...server('other.example'), extensions.uses(clientAuth)].toSpliced(1, 1),
    [...server('*.example')],
    [...server(host), critical('1.2.3.4', Buffer.of(5, 0))],
    [...server(host), extensions.authority()],
    [extensions.keyUsage(0x20), ...server(host).slice(1)],
    [...server(host), extensions.uses(serverAuth)],
    [...server(host), extension('2.16.840.1.113730.1.1', Buffer.from('03020640', 'hex'))],
    [],
  ),
})

interface Drawn {
  presented: Buffer[]
  roots: Buffer[]
}

const chains: fc.Arbitrary<Drawn> = fc
  .record({
    leaf: leaves,
    roots: fc.uniqueArray(fc.constantFrom(0, 1, 2), { minLength: 1 }),
    rootTimes: times,
    rootForm: mostly(authority(), authority(0), [extensions.noAuthority()]),
    middleForm: authorities,
    middleTimes: times,
    middleIssuer: mostly(old, next, evil),
    crossTimes: times,
    shown: fc.array(fc.nat({ max: 6 }), { maxLength: 7 }),
  })
  .map((drawn) => {
    const { leaf, rootTimes, rootForm, middleForm, middleTimes, middleIssuer, crossTimes } = drawn
    const oldRoot = makeCertificate({ holder: old, ...rootTimes, extensions: rootForm })
    const newRoot = makeCertificate({ holder: next, extensions: authority() })
    const cross = makeCertificate({ holder: next, issuer: old, ...crossTimes, extensions: authority() })
    const between = makeCertificate({ holder: middle, issuer: middleIssuer, ...middleTimes, extensions: middleForm })
    const own = makeCertificate({ holder: node, extensions: server(host) })
    const evilRoot = makeCertificate({ holder: evil, extensions: authority() })
    const falseRoot = makeCertificate({ holder: impostor, extensions: authority() })
    const others = [oldRoot, newRoot, cross, between, own, evilRoot, falseRoot]
    const shown = drawn.shown.map((index) => others[index] ?? own)
    const { times: leafTimes, ...about } = leaf
    const first = makeCertificate({ holder: node, ...about, ...leafTimes })
    return {
      presented: [first, ...shown],
      roots: drawn.roots.map((index) => [oldRoot, newRoot, between][index] ?? own),
    }
  })

function judged({ presented, roots }: Drawn, use: Use, at = noon): Verdict {
  const asked = { presented: presented.map(readCertificate), roots: roots.map(readCertificate), at, use }
  return verifyChain(use === 'server' ? { ...asked, host } : asked)
}

function byOpenSsl(dir: string, { presented: [leaf, ...others], roots }: Drawn, use: Use, withTime: boolean): boolean {
  const file = (name: string, ders: (Buffer | undefined)[]) => {
    const path = join(dir, name)
    writeFileSync(path, ders.map((der) => (der === undefined ? '' : certificatePem(der))).join(''))
    return path
  }
  const time = withTime ? ['-attime', String(noon / 1000)] : ['-no_check_time']
  const purpose = use === 'server' ? ['-purpose', 'sslserver', '-verify_hostname', host] : ['-purpose', 'sslclient']
  const untrusted = others.length === 0 ? [] : ['-untrusted', file('others.pem', others)]
  const args = ['verify', '-no-CApath', '-no-CAstore', '-CAfile', file('roots.pem', roots)]
  try {
    execFileSync('openssl', [...args, ...untrusted, ...time, ...purpose, file('leaf.pem', [leaf])], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

function accepts(der: Buffer, root: Certificate): boolean {
  try {
    return verifyChain({ presented: [readCertificate(der)], roots: [root], at: noon, use: 'server' }).ok
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    return false
  }
}

describe('a chain', () => {
  it('is never accepted where OpenSSL refuses it, and never told to be a matter of time where it is one of trust', () => {
    const dir = tempDir()
    let accepted = 0
    let late = 0
    fc.assert(
      fc.property(chains, fc.constantFrom<Use>('server', 'client'), (drawn, use) => {
        const verdict = judged(drawn, use)
        const isTime = !verdict.ok && (verdict.fault === 'expired' || verdict.fault === 'not-yet-valid')
        if (!verdict.ok && !isTime) return
        if (verdict.ok) accepted++
        else late++
        // OpenSSL tries one way only, the first: it is given the one that was found.
        const presented = verdict.path?.slice(0, -1).map(({ der }) => der) ?? drawn.presented
        expect(byOpenSsl(dir, { ...drawn, presented }, use, verdict.ok)).toBe(true)
      }),
      { numRuns: 200 },
    )
    // Or nothing was compared.
    expect(accepted).toBeGreaterThan(2)
    expect(late).toBeGreaterThan(2)
  })

  it('that is right in all its parts is accepted, whatever else is shown in whatever order', () => {
    const root = makeCertificate({ holder: old, extensions: authority() })
    const newRoot = makeCertificate({ holder: next, extensions: authority() })
    const cross = makeCertificate({ holder: next, issuer: old, extensions: authority() })
    const between = makeCertificate({ holder: middle, issuer: next, extensions: authority(0) })
    const leaf = makeCertificate({ holder: node, issuer: middle, extensions: server(host) })
    const needed = [between, cross]
    const more = [newRoot, root, leaf, makeCertificate({ holder: evil, extensions: authority() })]
    fc.assert(
      fc.property(fc.shuffledSubarray(more), fc.nat({ max: 6 }), (some, at) => {
        const presented = [leaf, ...some.toSpliced(Math.min(at, some.length), 0, ...needed)]
        expect(judged({ presented, roots: [root] }, 'server')).toMatchObject({ ok: true })
      }),
      { numRuns: 50 },
    )
  })

  it('of garbage is refused and throws nothing but what says so', () => {
    const root = readCertificate(makeCertificate({ holder: old, extensions: authority() }))
    const good = makeCertificate({ holder: node, issuer: old, extensions: server(host) })
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        const bent = Buffer.from(good)
        bent[at] = byte
        const ok = accepts(bent, root)
        expect(ok).toBe(bent.equals(good))
      }),
      { numRuns: 400 },
    )
    expect(() => readCertificates('nothing')).toThrow('no certificates')
  })
})
