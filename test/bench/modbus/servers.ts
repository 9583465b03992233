import type { AddressInfo, Server } from 'node:net'
import modbusSerial from 'modbus-serial'
import type { Counts, Order, Told } from './plan.ts'

/** Devices of modbus-serial's own server, each on a port, in a process of their own: forked by the bench. */
const counts: Counts = { requests: [], registers: 0 }
let changing = false

type Done = (error: Error | null, values: number[]) => void

function start(device: number): Promise<number> {
  counts.requests[device] = 0
  const getMultipleHoldingRegisters = (address: number, length: number, _unit: number, done: Done) => {
    const asked = (counts.requests[device] ?? 0) + 1
    counts.requests[device] = asked
    counts.registers += length
    done(
      null,
      Array.from({ length }, (_, at) => (address + at + (changing ? asked : 0)) & 0xffff),
    )
  }
  // The library takes the number 0 for none given.
  const port = '0' as unknown as number
  const server = new modbusSerial.ServerTCP({ getMultipleHoldingRegisters }, { host: '127.0.0.1', port, unitID: 255 })
  const net = (server as unknown as { _server: Server })._server
  return new Promise((resolve) => server.on('initialized', () => resolve((net.address() as AddressInfo).port)))
}

const tell = (told: Told) => void process.send?.(told)

process.on('message', async (order: Order) => {
  if ('start' in order) {
    tell({ ports: await Promise.all(Array.from({ length: order.start }, (_, device) => start(device))) })
  } else if ('changing' in order) changing = order.changing
  else tell(counts)
})
process.on('disconnect', () => process.exit())
