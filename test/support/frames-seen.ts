import { type DownFrame, decodeDown } from '@kedge/shared/frames'

/** The frames in what a connection carried to an edge: the payloads of its MQTT PUBLISH packets (MQTT 3.1.1, 3.3). */
export function framesIn(chunks: readonly Buffer[]): DownFrame[] {
  return [...packetsIn(Buffer.concat(chunks))]
    .filter(({ first }) => first >> 4 === 3)
    .map(({ first, body }) => {
      const topicEnd = 2 + body.readUInt16BE(0)
      const qos = (first >> 1) & 3
      const decoded = decodeDown(body.subarray(topicEnd + (qos > 0 ? 2 : 0)))
      if (!decoded.ok) throw new Error(`no frame on ${body.toString('utf8', 2, topicEnd)}: ${decoded.reason}`)
      return decoded.frame
    })
}

/** Whole packets: their first byte, and what follows their length (MQTT 3.1.1, 2.2.3). */
function* packetsIn(bytes: Buffer): Generator<{ first: number; body: Buffer }> {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at++)
    let length = 0
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length) return
      const byte = bytes.readUInt8(at++)
      length += (byte & 127) << shift
      if (byte < 128) break
    }
    if (at + length > bytes.length) return
    yield { first, body: bytes.subarray(at, at + length) }
    at += length
  }
}
