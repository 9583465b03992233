import { isIPv6 } from 'node:net'

/** Statuses of `grpc.health.v1.HealthCheckResponse` by their number. */
const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const unimplemented = 12

export interface HealthRequest {
  ip: string
  port: number
  /** Empty for the server as a whole. */
  service: string
  timeoutMs: number
}

/**
 * Asks a gRPC server for its health (grpc.health.v1.Health/Check); gives back the name of the status. The two messages
 * are so small that they are written and read here: no gRPC library is kept in memory for them.
 */
export async function askHealth({ ip, port, service, timeoutMs }: HealthRequest): Promise<string> {
  const { connect } = await import('node:http2')
  const session = connect(`http://${isIPv6(ip) ? `[${ip}]` : ip}:${port}`)
  let late: NodeJS.Timeout | undefined
  try {
    return await new Promise<string>((resolve, reject) => {
      late = setTimeout(() => reject(new Error('it did not answer in time')), timeoutMs)
      session.on('error', reject)
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        'user-agent': 'kube-probe/kedge',
        te: 'trailers',
      })
      const chunks: Buffer[] = []
      let code: number | undefined
      const note = (headers: Record<string, unknown>) => {
        if (headers['grpc-status'] !== undefined) code = Number(headers['grpc-status'])
      }
      stream.on('response', note)
      stream.on('trailers', note)
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', reject)
      stream.on('end', () => {
        if (code === 0) resolve(statusIn(Buffer.concat(chunks)))
        else if (code === unimplemented) reject(new Error('the server does not implement the gRPC health protocol'))
        else reject(new Error(`the server answered with gRPC status ${code ?? 'none'}`))
      })
      stream.end(messageFor(service))
    })
  } finally {
    clearTimeout(late)
    session.destroy()
  }
}

/** A frame of gRPC: not compressed, its length, and a message whose field 1 is the service. */
function messageFor(service: string): Buffer {
  const name = Buffer.from(service)
  const length = name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7]
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name])
  const frame = Buffer.alloc(5)
  frame.writeUInt32BE(message.length, 1)
  return Buffer.concat([frame, message])
}

/** Field 1 of the message, an enum; absent is 0. */
function statusIn(frame: Buffer): string {
  const at = frame.indexOf(0x08, 5)
  return statuses[at === -1 ? 0 : (frame[at + 1] ?? 0)] ?? 'UNKNOWN'
}
