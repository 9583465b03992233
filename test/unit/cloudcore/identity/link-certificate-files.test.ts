import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crossSign, issue, makeAuthority, type Pair } from '@kedge/cloudcore/identity/certificates'
import { LinkCertificateFiles } from '@kedge/cloudcore/identity/link-certificate-files'
import { certificatesIn } from '@kedge/cloudcore/identity/x509'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { verifyPinned } from '@kedge/shared/identity/verify'
import { openLog } from '@kedge/shared/log'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const now = Date.now()

/** A server's pair below an authority that stands below a root. */
async function chain() {
  const [root, below] = [await makeAuthority(now), await makeAuthority(now)]
  const between = await crossSign(root, below, now)
  const names = { dns: ['cloud.example'], ips: [] }
  const pair = await issue(below, now, { subject: [{ CN: ['cloud'] }], days: 90, usage: 'server', names })
  return { root: root.cert, between, pair }
}

function files() {
  const dir = tempDir()
  const paths = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), roots: join(dir, 'ca.crt') }
  const write = ({ cert, key }: Pair) => {
    writeFileSync(paths.cert, cert)
    writeFileSync(paths.key, key)
  }
  const lines: { msg: string; reason?: string }[] = []
  const to = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const log = openLog({ level: 'info', program: 'test', version: '0', to })
  const open = async (roots?: string) => {
    if (roots !== undefined) writeFileSync(paths.roots, roots)
    // Never by itself: the tests look when there is something to see.
    const given = { ...paths, roots: roots === undefined ? undefined : paths.roots }
    const opened = await LinkCertificateFiles.open({ files: given, log, every: 2 ** 30 })
    onTestFinished(() => opened.stop())
    return opened
  }
  return { paths, write, lines, open }
}

describe('a certificate from files', () => {
  it('is shown up to its root, wherever that was given, and is what tokens pin', async () => {
    const { root, between, pair } = await chain()
    for (const inChain of [true, false]) {
      const { write, open } = files()
      write({ cert: pair.cert + between + (inChain ? root : ''), key: pair.key })
      const opened = await open(inChain ? undefined : root)
      expect(certificatesIn(opened.current().cert)).toEqual([pair.cert, between, root])
      expect(opened.root()).toBe(root)
      const presented = readCertificates(opened.current().cert)
      const question = { presented, at: now, use: 'server' as const, host: 'cloud.example' }
      expect(verifyPinned({ ...question, pin: opened.pin() })).toMatchObject({ ok: true })
    }
  })

  it('is read again when it changes, and the one before stays while the files do not fit', async () => {
    const [first, second] = [await chain(), await chain()]
    const { write, open, paths, lines } = files()
    write({ cert: first.pair.cert + first.between + first.root, key: first.pair.key })
    const opened = await open()
    let changes = 0
    onTestFinished(opened.onChange(() => changes++) as () => void)
    await opened.look()
    expect(changes).toBe(0)
    const before = opened.current()
    const next = second.pair.cert + second.between + second.root
    writeFileSync(paths.cert, next)
    await opened.look()
    await opened.look()
    expect(opened.current()).toEqual(before)
    expect(lines).toHaveLength(1)
    expect(lines[0]?.reason).toMatch(/tls\.key is not the key of .*tls\.crt/)
    writeFileSync(paths.key, second.pair.key)
    await opened.look()
    expect(opened.current()).toEqual({ cert: next, key: second.pair.key })
    expect(changes).toBe(1)
  })

  it('says what is wrong with files that cannot be used', async () => {
    const { root, between, pair } = await chain()
    const other = await chain()
    const { write, open, paths } = files()
    await expect(open()).rejects.toThrow(/tls\.(crt|key) cannot be read/)
    write({ cert: 'nonsense', key: pair.key })
    await expect(open()).rejects.toThrow(/tls\.crt: no certificate found; give one in PEM/)
    write({ cert: pair.cert + between, key: pair.key })
    await expect(open()).rejects.toThrow(/leads to no root: append .*--issuer-roots/)
    await expect(open(other.root)).rejects.toThrow(/leads to no root/)
    write({ cert: pair.cert + between + root, key: other.pair.key })
    await expect(open()).rejects.toThrow(/is not the key of/)
    writeFileSync(paths.key, 'nonsense')
    await expect(open()).rejects.toThrow(/cannot be read: .*; give both in PEM/)
  })
})
