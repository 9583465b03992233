import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { MqttSession, type SessionEnd, type SessionOptions } from '@kedge/edgecore/link/mqtt-session'
import mqttPacket from '@kedge/shared/mqtt-packets'
import type { Packet } from 'mqtt-packet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'

/** A session, and the other side of its connection, which says what the test has it say. */
interface Pair {
  session: MqttSession
  socket: Socket
  /** What the session has sent. */
  sent: Packet[]
  messages: string[]
  ends: SessionEnd[]
  connected: () => number
  say: (...packets: Packet[]) => void
  other: Socket
}

const admitted: Packet = { cmd: 'connack', returnCode: 0, sessionPresent: false }

async function pair(options: Partial<SessionOptions> = {}): Promise<Pair> {
  const server = createServer({ noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[other]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [[Socket], unknown]
  other.on('error', () => {})
  onTestFinished(() => {
    other.destroy()
    socket.destroy()
    server.close()
  })
  const sent: Packet[] = []
  const parser = mqttPacket.parser()
  parser.on('packet', (packet) => sent.push(packet))
  other.on('data', (bytes) => parser.parse(bytes))
  const messages: string[] = []
  const ends: SessionEnd[] = []
  let connected = 0
  const session = new MqttSession(socket, {
    ...{ clientId: 'edge-1', keepalive: 60, connectTimeout: 60_000, ...options },
    onConnect: () => connected++,
    onMessage: (payload) => messages.push(payload.toString()),
    onClose: (end) => ends.push(end),
  })
  const say = (...packets: Packet[]) =>
    void other.write(Buffer.concat(packets.map((each) => mqttPacket.generate(each))))
  return { session, socket, sent, messages, ends, connected: () => connected, say, other }
}

/** A session that the broker has let in. */
async function open(options: Partial<SessionOptions> = {}): Promise<Pair> {
  const made = await pair(options)
  made.say(admitted)
  await eventually(() => made.connected() === 1)
  return made
}

const message = (payload: string, rest: object = {}): Packet => ({
  ...{ cmd: 'publish', topic: 'down', payload, qos: 1, messageId: 7, dup: false, retain: false },
  ...rest,
})
const only = (sent: readonly Packet[], cmd: Packet['cmd']) => sent.filter((packet) => packet.cmd === cmd)

describe('a connection begins', () => {
  test('with who it is, and what the broker is to say when it is lost', async () => {
    const will = { topic: 'alive', payload: '0' }
    const { sent } = await open({ username: 'edge-1', password: 'secret', will, keepalive: 30 })
    expect(sent[0]).toMatchObject({
      ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId: 'edge-1', keepalive: 30 },
      ...{ username: 'edge-1', password: Buffer.from('secret') },
      will: { topic: 'alive', payload: Buffer.from('0'), qos: 1, retain: true },
    })
  })

  test.each([
    [4, 'connection refused: bad user name or password'],
    [5, 'connection refused: not authorized'],
    [77, 'connection refused: code 77'],
  ])('not, where the broker answers %i', async (code, reason) => {
    const { other, ends, connected } = await pair()
    other.write(Buffer.of(0x20, 2, 0, code))
    await eventually(() => ends.length > 0)
    expect([ends, connected()]).toEqual([[{ reason, code }], 0])
  })

  test('not, where the broker says nothing in time', async () => {
    const { ends } = await pair({ connectTimeout: 20 })
    await eventually(() => ends.length > 0)
    expect(ends).toEqual([{ reason: 'the broker has not answered within 0.02 s' }])
  })

  test('not, where the broker begins with something else', async () => {
    const { ends, say, messages } = await pair()
    say(message('early'), admitted)
    await eventually(() => ends.length > 0)
    expect([ends[0]?.reason, messages]).toEqual(['publish before the broker has let this client in', []])
  })

  test('not, where the socket has ended already', async () => {
    const { socket, sent } = await open()
    socket.destroy()
    await once(socket, 'close')
    const ends: SessionEnd[] = []
    const late = { clientId: 'edge-1', keepalive: 60, connectTimeout: 60_000, onConnect: () => {}, onMessage: () => {} }
    new MqttSession(socket, { ...late, onClose: (end) => ends.push(end) })
    await eventually(() => ends.length > 0)
    expect([ends.length, only(sent, 'connect').length]).toEqual([1, 1])
  })
})

describe('messages', () => {
  test('are acknowledged once they were handed on', async () => {
    const { say, sent, messages } = await open()
    say(message('one'), message('two', { qos: 0, messageId: undefined }), message('three', { messageId: 8 }))
    await eventually(() => only(sent, 'puback').length === 2)
    expect(messages).toEqual(['one', 'two', 'three'])
    expect(only(sent, 'puback').map(({ messageId }) => messageId)).toEqual([7, 8])
  })

  test('of one packet and of many pieces are the same', async () => {
    const { other, messages } = await open()
    const bytes = mqttPacket.generate(message('x'.repeat(5000)))
    for (let at = 0; at < bytes.length; at += 1000) {
      other.write(bytes.subarray(at, at + 1000))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually(() => messages.length === 1)
    expect(messages[0]).toHaveLength(5000)
  })

  test('of this side go at QoS 1, each with a number that no unanswered one has', async () => {
    const { session, sent, say } = await open()
    for (let count = 0; count < 65_534; count++) session.publish('up', '')
    session.publish('up', 'last')
    await eventually(() => only(sent, 'publish').length === 65_535, { within: 60_000 })
    expect(new Set(only(sent, 'publish').map(({ messageId }) => messageId)).size).toBe(65_535)
    say({ cmd: 'puback', messageId: 17 })
    say(message('after it'))
    await eventually(() => only(sent, 'puback').length === 1)
    session.publish('up', 'again', { retain: true })
    await eventually(() => only(sent, 'publish').length === 65_536)
    expect(only(sent, 'publish').at(-1)).toMatchObject({ messageId: 17, qos: 1, retain: true, dup: false })
  })
})

describe('a subscription', () => {
  test.each([
    [1, true],
    [0x80, false],
  ])('that is answered %i is granted: %s, before a message behind it is handed on', async (granted, expected) => {
    const { session, sent, say, messages } = await open()
    const told: unknown[] = []
    session.subscribe('down', (is) => told.push(is, messages.length))
    await eventually(() => only(sent, 'subscribe').length === 1)
    expect(sent.at(-1)).toMatchObject({ subscriptions: [{ topic: 'down', qos: 1 }] })
    say({ cmd: 'suback', messageId: sent.at(-1)?.messageId, granted: [granted] } as Packet, message('first'))
    await eventually(() => messages.length === 1)
    expect(told).toEqual([expected, 0])
  })
})

describe('a connection ends', () => {
  test('with a goodbye once the broker has taken what was published', async () => {
    const { session, sent, say, ends } = await open()
    session.publish('alive', '0')
    session.end()
    await eventually(() => only(sent, 'publish').length === 1)
    expect(only(sent, 'disconnect')).toEqual([])
    say({ cmd: 'puback', messageId: only(sent, 'publish')[0]?.messageId })
    await eventually(() => ends.length > 0)
    expect(sent.at(-1)?.cmd).toBe('disconnect')
  })

  test('and after the goodbye nothing is said, whatever comes', async () => {
    const { session, sent, say, ends } = await open()
    session.end()
    session.publish('up', 'late')
    say(message('late, too'))
    await eventually(() => ends.length > 0)
    expect([sent.map(({ cmd }) => cmd), ends]).toEqual([
      ['connect', 'disconnect'],
      [{ reason: 'closed by the other side' }],
    ])
  })

  test.each([
    ['closed by the other side', (other: Socket) => void other.end()],
    ['a second connack', (other: Socket) => void other.write(mqttPacket.generate(admitted))],
    ['malformed packet', (other: Socket) => void other.write(Buffer.of(0x00, 0, 0, 0))],
    ['at QoS 2', (other: Socket) => void other.write(mqttPacket.generate(message('twice', { qos: 2 })))],
    ['subscribe is not for', (other: Socket) => void other.write(Buffer.from('820600010001' + '6100', 'hex'))],
  ])('once, with the reason: %s', async (reason, spoil) => {
    const { other, ends, messages } = await open()
    spoil(other)
    await eventually(() => ends.length > 0)
    expect([ends.length, ends[0]?.reason]).toEqual([1, expect.stringContaining(reason)])
    expect(messages).toEqual([])
  })

  test('in silence, in which it has pinged', async () => {
    const { sent, ends } = await open({ keepalive: 1 })
    await eventually(() => ends.length > 0)
    expect([only(sent, 'pingreq').length, ends]).toEqual([1, [{ reason: 'keep-alive: nothing was heard' }]])
  })
})
