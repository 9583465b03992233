import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Gate } from '../../../../scripts/compose/gate.ts'
import { openControl, tellGate, tellGates } from '../../../../scripts/compose/gate-control.ts'
import { eventually } from '../../../support/eventually.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const host = '127.0.0.1'

/** A gate before a server that says everything back. */
async function world() {
  const echo: Server = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  echo.listen(0, host)
  await once(echo, 'listening')
  const address = echo.address()
  const gate = await Gate.open({
    ...{ host, port: 0 },
    to: { host, port: typeof address === 'object' && address !== null ? address.port : 0 },
  })
  const socketPath = join(tempDir(), 'gate.sock')
  const control = await openControl(gate, socketPath)
  onTestFinished(async () => {
    await control.stop()
    await gate.stop()
    echo.close()
  })
  return { gate, socketPath }
}

/** A client of the gate, with all that it has heard. */
async function dial(gate: Gate) {
  const socket: Socket = connect(gate.port, host)
  onTestFinished(() => void socket.destroy())
  const client = { socket, heard: '', closed: false }
  socket.on('data', (chunk) => (client.heard += chunk))
  socket.on('error', () => {})
  socket.on('close', () => (client.closed = true))
  await once(socket, 'connect')
  return client
}

it('carries in both directions, and ends both sides with one', async () => {
  const { gate } = await world()
  const client = await dial(gate)
  const text = 'x'.repeat(200_000)
  client.socket.write(text)
  await eventually(() => client.heard === text)
  client.socket.end()
  await eventually(() => gate.connections === 0)
})

it('that is cut breaks what stands and what comes, until it is open again', async () => {
  const { gate, socketPath } = await world()
  const client = await dial(gate)
  await eventually(() => gate.connections === 1)
  expect(await tellGate(socketPath, { is: 'cut' })).toBe(1)
  await eventually(() => client.closed)
  const refused = connect(gate.port, host).on('error', () => {})
  await eventually(() => refused.closed)
  await tellGate(socketPath, { is: 'open' })
  const again = await dial(gate)
  again.socket.write('hello')
  await eventually(() => again.heard === 'hello')
})

it('that stalls keeps what is said, and hands it over later', async () => {
  const { gate, socketPath } = await world()
  const client = await dial(gate)
  await tellGate(socketPath, { is: 'stalled' })
  client.socket.write('one')
  // Another connection shows that time has passed for the gate: it stands, and hears nothing either.
  const other = await dial(gate)
  await eventually(() => gate.connections === 2)
  expect([client.heard, client.closed, other.closed]).toEqual(['', false, false])
  await tellGate(socketPath, { is: 'slow', ms: 20 })
  await eventually(() => client.heard === 'one')
})

it('breaks what stands once, and says what it does not understand', async () => {
  const { gate, socketPath } = await world()
  const client = await dial(gate)
  await eventually(() => gate.connections === 1)
  await tellGate(socketPath, { is: 'break' })
  await eventually(() => client.closed)
  const again = await dial(gate)
  again.socket.write('hello')
  await eventually(() => again.heard === 'hello')
  await expect(tellGate(socketPath, { is: 'rain' } as never)).rejects.toThrow('give {"is":"open|cut|stalled|break"}')
})

it('takes orders with others, and says so when there is none', async () => {
  const [one, other] = [await world(), await world()]
  await dial(one.gate)
  await dial(other.gate)
  await eventually(() => one.gate.connections + other.gate.connections === 2)
  expect(await tellGates([one.socketPath, other.socketPath], { is: 'cut' })).toBe(2)
  expect([one.gate.mode, other.gate.mode]).toEqual([{ is: 'cut' }, { is: 'cut' }])
  await expect(tellGates([], { is: 'cut' })).rejects.toThrow('there is none')
})
