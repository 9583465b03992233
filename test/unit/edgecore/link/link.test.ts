import net, { type AddressInfo } from 'node:net'
import { CloudLink, retryDelay } from '@kedge/edgecore/link/link'
import { systemClock } from '@kedge/shared/clock'
import { encodeFrame, type Frame, type UpFrame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'

const servers: net.Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A broker that gives each connection's first packet to `onConnect`, and says nothing of its own. */
async function broker(onConnect: (socket: net.Socket) => void): Promise<string> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => onConnect(socket))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function link(url: string) {
  let ups = 0
  const cloudLink = new CloudLink({
    url,
    node: 'edge-1',
    onUp: () => ups++,
    onDown: () => {},
    onFrame: () => {},
    onMalformed: () => {},
    clock: systemClock,
    random: () => 0,
    log: silentLog,
  })
  return { cloudLink, ups: () => ups }
}

const connack = Buffer.from([0x20, 2, 0, 0])

test('a stop while the broker has not answered ends at once', async () => {
  let asked = () => {}
  const connecting = new Promise<void>((resolve) => {
    asked = resolve
  })
  const { cloudLink, ups } = link(await broker(() => asked()))
  cloudLink.start()
  await connecting
  await cloudLink.stop()
  expect(ups()).toBe(0)
})

test('an answer that arrives after the stop is nothing', async () => {
  const stopped = new Promise<void>((resolve) => {
    void broker((socket) => {
      socket.write(connack)
      // In one turn of the loop that both share: the answer waits in the client's socket when the stop comes.
      void under.cloudLink.stop().then(resolve)
    }).then((url) => {
      under = link(url)
      under.cloudLink.start()
    })
  })
  let under: ReturnType<typeof link>
  await stopped
})

/** A broker that answers a connection and its subscription, and then nothing more. */
function mute(): Promise<string> {
  const suback = Buffer.from([0x90, 3, 0, 0, 1])
  return broker((socket) => {
    socket.write(connack)
    socket.on('data', (bytes) => {
      const at = bytes.indexOf(0x82)
      if (at >= 0) socket.write(Buffer.concat([suback.subarray(0, 2), bytes.subarray(at + 2, at + 4), Buffer.of(1)]))
    })
  })
}

test('a stop on a connection that has died ends soon', async () => {
  const { cloudLink, ups } = link(await mute())
  cloudLink.start()
  await eventually(() => ups() === 1)
  const began = performance.now()
  await cloudLink.stop()
  // Without a limit it is the keep-alive that ends it, after 45 s.
  expect(performance.now() - began).toBeLessThan(20_000)
})

test('the bytes of frames are counted by what they are sent for', async () => {
  const { cloudLink, ups } = link(await mute())
  const reports = (message: string): Frame<'reports'> => ({
    ...{ is: 'reports', box: 'box.1', items: [{ seq: 1, version: 1, report: { message } }] },
  })
  expect([cloudLink.send(reports('early'), 'alarms'), cloudLink.traffic.sent]).toEqual([false, 0])
  cloudLink.start()
  await eventually(() => ups() === 1)
  const kept: Frame<'kept'> = { is: 'kept', talk: 'run.1', pack: 'AAAAAAAAAAAAAAAAAAAAAA', bytes: 1 }
  cloudLink.send(kept)
  for (const text of ['a', 'bb']) cloudLink.send(reports(text), 'alarms')
  cloudLink.send(reports('ccc'), 'events')
  const size = (...frames: UpFrame[]) => frames.reduce((sum, frame) => sum + encodeFrame(frame).length, 0)
  const [sync, alarms, events] = [size(kept), size(reports('a'), reports('bb')), size(reports('ccc'))]
  expect(Object.fromEntries(cloudLink.sentFor)).toEqual({ sync, alarms, events })
  expect(cloudLink.traffic.sent).toBe(sync + alarms + events)
  await cloudLink.stop()
})

test('tries come soon at first, and cost little once a minute of them was in vain', () => {
  const longest = (attempts: number[]) => attempts.map((attempt) => retryDelay(attempt, 1))
  expect(longest([0, 1, 2, 39, 40, 79])).toEqual([250, 500, 500, 500, 2000, 2000])
  expect(longest([80, 1_000_000])).toEqual([4000, 4000])
  expect(retryDelay(5, 0)).toBe(0)
})
