import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { reach } from '@kedge/edgecore/link/reach'
import { expect, onTestFinished, test } from 'vitest'
import {
  authority,
  certificatePem,
  day,
  holder,
  keyPem,
  makeCertificate,
  server as serverOf,
} from '../../../support/certificates.ts'
import { eventually } from '../../../support/eventually.ts'

const life = { from: Date.now() - day, to: Date.now() + day }
const ca = holder('ca')
const own = holder('broker')
const root = certificatePem(makeCertificate({ holder: ca, ...life, extensions: authority() }))

function certificateFor(name: string): string {
  return certificatePem(makeCertificate({ holder: own, issuer: ca, ...life, extensions: serverOf(name) }))
}

const waits = { timeout: 60_000, tlsTimeout: 60_000 }
const signal = new AbortController().signal

/** Listens, and counts what it is told. */
async function listening(server: Server, protocol: string): Promise<{ url: string; heard: () => number }> {
  let heard = 0
  for (const event of ['connection', 'secureConnection']) {
    server.on(event, (socket) => {
      socket.on('error', () => {})
      onTestFinished(() => void socket.destroy())
      if (protocol === 'mqtt' || event === 'secureConnection') {
        socket.on('data', (bytes: Buffer) => {
          heard += bytes.length
        })
      }
    })
  }
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `${protocol}://localhost:${(server.address() as AddressInfo).port}`, heard: () => heard }
}

test.each([
  ['mqtt', () => createServer()],
  ['mqtts', () => createTlsServer({ key: keyPem(own), cert: certificateFor('localhost') })],
])('a broker at %s:// is reached, and hears what is said then', async (protocol, make) => {
  const { url, heard } = await listening(make(), protocol)
  const socket = await reach({ url, ca: root, signal, ...waits })
  onTestFinished(() => void socket.destroy())
  expect(heard()).toBe(0)
  socket.write('hello')
  await eventually(() => heard() === 5)
})

test.each([
  ['whose authority nobody vouches for', undefined, 'localhost', /certificate/],
  ['with a certificate for another name', root, 'elsewhere', /altnames|Hostname/],
])('nothing is said to a broker %s', async (_, ca, name, reason) => {
  const { url, heard } = await listening(createTlsServer({ key: keyPem(own), cert: certificateFor(name) }), 'mqtts')
  await expect(reach({ url, ca, signal, ...waits })).rejects.toThrow(reason)
  expect(heard()).toBe(0)
})

test('one that shows nothing, and one that hangs up, are given up', async () => {
  const { url } = await listening(createServer(), 'mqtts')
  await expect(reach({ url, signal, ...waits, tlsTimeout: 20 })).rejects.toThrow('has not shown itself within 0.02 s')
  const busy = await listening(
    createServer((socket) => socket.destroy()),
    'mqtts',
  )
  await expect(reach({ url: busy.url, signal, ...waits })).rejects.toThrow(/closed|disconnected|ECONNRESET/)
})

test('a stop is heeded before and while it is tried', async () => {
  const { url } = await listening(createServer(), 'mqtts')
  await expect(reach({ url, signal: AbortSignal.abort(), ...waits })).rejects.toThrow('stopped')
  const stopping = new AbortController()
  const trying = reach({ url, signal: stopping.signal, ...waits })
  stopping.abort()
  await expect(trying).rejects.toThrow('stopped')
})

test('where nobody listens the network says so', async () => {
  const server = createServer()
  const { url } = await listening(server, 'mqtt')
  server.close()
  await once(server, 'close')
  await expect(reach({ url, signal, ...waits })).rejects.toThrow(/ECONNREFUSED/)
})
