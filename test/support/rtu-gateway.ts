import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A serial line behind TCP: speaks Modbus RTU to its clients, and Modbus TCP to the server behind it. */
export async function rtuGateway(serverPort: number): Promise<number> {
  const sockets = new Set<Socket>()
  const gateway = createServer((line) => {
    const server = connect(serverPort, '127.0.0.1')
    for (const socket of [line, server]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    let asked = Buffer.alloc(0)
    line.on('data', (data: Buffer) => {
      asked = Buffer.concat([asked, data])
      for (let length = lengthOf(asked); asked.length >= length; length = lengthOf(asked)) {
        const frame = asked.subarray(0, length - 2)
        const header = Buffer.from([0, 1, 0, 0, 0, frame.length])
        server.write(Buffer.concat([header, frame]))
        asked = asked.subarray(length)
      }
    })
    let answered = Buffer.alloc(0)
    server.on('data', (data: Buffer) => {
      answered = Buffer.concat([answered, data])
      while (answered.length >= 6 && answered.length >= 6 + answered.readUInt16BE(4)) {
        const length = answered.readUInt16BE(4)
        const frame = answered.subarray(6, 6 + length)
        line.write(Buffer.concat([frame, crc(frame)]))
        answered = answered.subarray(6 + length)
      }
    })
    line.on('close', () => server.destroy())
  })
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    gateway.close()
    for (const socket of sockets) socket.destroy()
  })
  return (gateway.address() as AddressInfo).port
}

/** Bytes of a request with its checksum; more than there are while its head is not complete. */
function lengthOf(frame: Buffer): number {
  const code = frame[1]
  if (code === undefined) return Number.POSITIVE_INFINITY
  if (code !== 15 && code !== 16) return 8
  return frame.length < 7 ? Number.POSITIVE_INFINITY : 9 + (frame[6] ?? 0)
}

/** The checksum of Modbus RTU (Modbus over serial line 1.02, 6.2.2). */
function crc(frame: Buffer): Buffer {
  let sum = 0xffff
  for (const byte of frame) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >> 1) ^ 0xa001 : sum >> 1
  }
  return Buffer.from([sum & 0xff, sum >> 8])
}
