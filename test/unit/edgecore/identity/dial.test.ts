import { type AddressInfo, connect as connectPlain, createServer as createPlain } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { dial, type Resumption, ServerRefused } from '@kedge/edgecore/identity/dial'
import { judgeServer } from '@kedge/edgecore/identity/judge'
import { type Certificate, readCertificate } from '@kedge/shared/identity/certificate'
import { verifyChain } from '@kedge/shared/identity/verify'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  authority,
  certificatePem,
  day,
  type Holder,
  holder,
  keyPem,
  makeCertificate,
  noon,
  server,
} from '../../../support/certificates.ts'
import { HandClock } from '../../../support/hand-clock.ts'

const ca = holder('ca')
const own = holder('cloud')
const root = makeCertificate({ holder: ca, from: noon - 900 * day, to: noon + 900 * day, extensions: authority() })

async function listen(certificate: Buffer, keys: Holder = own, options: TlsOptions = {}): Promise<Server> {
  const cert = certificatePem(certificate) + certificatePem(root)
  const listening = createServer({ key: keyPem(keys), cert, ...options }, (socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const open = new Set<TLSSocket>()
  listening.on('secureConnection', (socket) => open.add(socket))
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    listening.close()
  })
  return listening
}

const urlOf = (listening: { address(): unknown }) => `mqtts://localhost:${(listening.address() as AddressInfo).port}`

interface Asked {
  url: string
  now?: number
  floor?: number
  resumption?: Resumption
  timeout?: number
}

async function call({ url, now = noon, floor = 0, ...rest }: Asked) {
  const judge = (presented: readonly Certificate[], host: string) => {
    const verify = (at: number) => verifyChain({ presented, roots: [readCertificate(root)], at, use: 'server', host })
    return judgeServer(verify, { clock: new HandClock(now), floor }).verdict
  }
  const socket = await dial({ url, judge, signal: new AbortController().signal, ...rest })
  onTestFinished(() => void socket.destroy())
  return socket
}

const good = (term: { from?: number; to?: number } = {}) =>
  makeCertificate({ holder: own, issuer: ca, ...term, extensions: server('localhost') })

describe('a server', () => {
  test('is judged at the time of this node, not of the machine', async () => {
    const url = urlOf(await listen(good()))
    expect((await call({ url })).encrypted).toBe(true)
    await expect(call({ url, now: noon + 2 * day })).rejects.toThrow(/ended at 2026-06-02.*renew the certificate/)
  })

  test('whose certificate begins later tells a board without a clock that it is later; one that has ended stays refused', async () => {
    const url = urlOf(await listen(good()))
    expect((await call({ url, now: noon - 500 * day })).encrypted).toBe(true)
    const ended = urlOf(await listen(good({ from: noon - 9 * day, to: noon - 8 * day })))
    await expect(call({ url: ended, now: noon - 500 * day, floor: noon - day })).rejects.toThrow(/ended at/)
  })

  test.each([
    [
      'of somebody else',
      makeCertificate({ holder: own, issuer: holder('ca'), extensions: server('localhost') }),
      'untrusted',
    ],
    ['for another host', makeCertificate({ holder: own, issuer: ca, extensions: server('other') }), 'wrong-host'],
    ['of a node', makeCertificate({ holder: own, issuer: ca }), 'wrong-host'],
  ])('with a certificate %s is refused, before a byte is said to it', async (_name, certificate, fault) => {
    const listening = await listen(certificate)
    let heard = 0
    listening.on('secureConnection', (socket: TLSSocket) => socket.on('data', () => heard++))
    const error = await call({ url: urlOf(listening) }).catch((refusal: unknown) => refusal)
    expect(error).toBeInstanceOf(ServerRefused)
    expect(error).toMatchObject({ fault })
    expect(heard).toBe(0)
  })

  test('that speaks no TLS 1.2, or nothing at all, is given up with a reason', async () => {
    const old = await listen(good(), own, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' })
    await expect(call({ url: urlOf(old) })).rejects.toThrow()
    const mute = createPlain((socket) => socket.on('error', () => {}))
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void mute.close())
    await expect(call({ url: urlOf(mute), timeout: 200 })).rejects.toThrow(/has not shown itself in time/)
    const closing = createPlain((socket) => socket.destroy())
    await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void closing.close())
    await expect(call({ url: urlOf(closing) })).rejects.toThrow()
  })
})

describe('a session', () => {
  test('is resumed without the bytes of the certificates, is judged again, and forgotten when that fails', async () => {
    const listening = await listen(good())
    const { port } = listening.address() as AddressInfo
    let bytes = 0
    const between = createPlain((near) => {
      const far = connectPlain(port, '127.0.0.1')
      const count = (data: Buffer) => {
        bytes += data.length
      }
      near
        .on('data', count)
        .pipe(far)
        .on('error', () => {})
      far
        .on('data', count)
        .pipe(near)
        .on('error', () => {})
      near.on('close', () => far.destroy())
    })
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void between.close())
    const url = urlOf(between)
    const resumption: Resumption = {}
    const first = await call({ url, resumption })
    await new Promise<void>((resolve) => {
      if (resumption.session !== undefined) resolve()
      else first.once('session', () => resolve())
    })
    expect(first.isSessionReused()).toBe(false)
    const whole = bytes
    first.destroy()
    bytes = 0
    const second = await call({ url, resumption })
    expect(second.isSessionReused()).toBe(true)
    // Not a share of all: newer versions of Node.js exchange keys that are larger by two thousand bytes.
    expect(whole - bytes).toBeGreaterThan(800)
    await expect(call({ url, resumption, now: noon + 2 * day })).rejects.toThrow(/ended at/)
    expect(resumption).toEqual({ session: undefined, presented: undefined })
    expect((await call({ url, resumption })).isSessionReused()).toBe(false)
  })
})
