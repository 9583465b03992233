import { connect, type Socket } from 'node:net'

/**
 * A device on MQTT 3.1.1 (QoS 1, clean session) in as little code as it takes, so that a load generator costs the
 * machine less than what it measures. It trusts the broker to speak MQTT.
 */
export class RawClient {
  readonly #socket: Socket
  readonly #onMessage: (topic: string, payload: Buffer) => void
  #rest: Buffer = Buffer.alloc(0)
  #packetId = 0
  /** Called with the first byte of CONNACK or SUBACK. */
  #onReply: (() => void) | undefined
  /** Publications that the broker has acknowledged. */
  acknowledged = 0

  private constructor(socket: Socket, onMessage: (topic: string, payload: Buffer) => void) {
    this.#socket = socket
    this.#onMessage = onMessage
    socket.on('data', (bytes) => this.#take(bytes))
  }

  /** Rejects when the port does not answer. */
  static async connect(options: {
    port: number
    clientId: string
    onMessage?: (topic: string, payload: Buffer) => void
  }): Promise<RawClient> {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const client = new RawClient(socket, options.onMessage ?? (() => {}))
    const keepAlive = 300
    const variable = Buffer.from([0, 4, ...Buffer.from('MQTT'), 4, 0x02, keepAlive >> 8, keepAlive & 0xff])
    await client.#ask(packet(0x10, [variable, text(options.clientId)]))
    return client
  }

  async subscribe(...filters: string[]): Promise<void> {
    const wanted = filters.flatMap((filter) => [text(filter), Buffer.from([1])])
    await this.#ask(packet(0x82, [this.#nextId(), ...wanted]))
  }

  publish(topic: string, payload: string): void {
    this.#socket.write(packet(0x32, [text(topic), this.#nextId(), Buffer.from(payload)]))
  }

  close(): void {
    this.#socket.destroy()
  }

  #ask(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('error', reject)
      this.#socket.once('close', () => reject(new Error('the broker closed the connection')))
      this.#onReply = resolve
      this.#socket.write(bytes)
    })
  }

  #nextId(): Buffer {
    this.#packetId = (this.#packetId % 0xffff) + 1
    return Buffer.from([this.#packetId >> 8, this.#packetId & 0xff])
  }

  #take(bytes: Buffer): void {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    for (let length = lengthOf(rest); length !== undefined && rest.length >= length; length = lengthOf(rest)) {
      this.#packet(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
    this.#rest = rest
  }

  #packet(bytes: Buffer): void {
    const kind = (bytes[0] ?? 0) >> 4
    if (kind === 4) this.acknowledged++
    if (kind === 2 || kind === 9) this.#onReply?.()
    if (kind === 3) this.#message(bytes)
  }

  #message(bytes: Buffer): void {
    let at = 2
    while (((bytes[at - 1] ?? 0) & 0x80) !== 0) at++
    const end = at + 2 + bytes.readUInt16BE(at)
    const topic = bytes.toString('utf8', at + 2, end)
    const qos = ((bytes[0] ?? 0) >> 1) & 3
    if (qos === 1) this.#socket.write(packet(0x40, [bytes.subarray(end, end + 2)]))
    this.#onMessage(topic, bytes.subarray(qos === 0 ? end : end + 2))
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

function packet(first: number, parts: readonly Buffer[]): Buffer {
  let length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = [first]
  do {
    head.push(length > 127 ? (length & 0x7f) | 0x80 : length)
    length >>= 7
  } while (length > 0)
  return Buffer.concat([Buffer.from(head), ...parts])
}

/** Bytes of the packet that begins here, or undefined while its header is not complete. */
function lengthOf(bytes: Buffer): number | undefined {
  let length = 0
  for (let at = 1; at < 5; at++) {
    const byte = bytes[at]
    if (byte === undefined) return undefined
    length |= (byte & 0x7f) << (7 * (at - 1))
    if ((byte & 0x80) === 0) return at + 1 + length
  }
  throw new Error('a packet length of more than four bytes')
}
