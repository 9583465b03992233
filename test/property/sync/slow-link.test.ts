import { createHash } from 'node:crypto'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { describe, expect, test } from 'vitest'
import { CloudEnd, EdgeEnd, settle } from '../../recorded/ends.ts'

/** Milliseconds of a step of the simulated time. */
const step = 100

/** Both ends over a link that carries so many bytes a second, each way, and is cut every so often. Time is simulated. */
class SlowLink {
  now = 0
  /** Bytes of frames carried. */
  readonly carried = { toEdge: 0, toCloud: 0 }
  /** The longest that a frame, and so an answer to a ping, waited for those before it, in ms. */
  longestWait = 0
  readonly cloud = new CloudEnd((bytes) => this.#send('toEdge', bytes))
  readonly edge = new EdgeEnd((bytes) => this.#send('toCloud', bytes))
  readonly #bytesPerSecond: number
  readonly #cutEvery: number
  #queues: Record<'toEdge' | 'toCloud', { bytes: Buffer; doneAt: number }[]> = { toEdge: [], toCloud: [] }
  #up = false

  constructor({ bytesPerSecond, cutEvery = Infinity }: { bytesPerSecond: number; cutEvery?: number }) {
    this.#bytesPerSecond = bytesPerSecond
    this.#cutEvery = cutEvery
    this.cloud.restart('e1')
    this.edge.restart('r1')
  }

  get isLevel(): boolean {
    return this.cloud.session.state === 'level' && this.cloud.session.isSure
  }

  link(up: boolean): void {
    this.#up = up
    this.#queues = { toEdge: [], toCloud: [] }
    this.cloud.link(up)
    this.edge.link(up)
  }

  /** Lets time pass until the two agree; gives up after so many seconds. */
  async agree(seconds: number): Promise<void> {
    const end = this.now + seconds * 1000
    await settle()
    while (this.now < end && !(this.#up && this.isLevel)) await this.#step()
  }

  async #step(): Promise<void> {
    this.now += step
    this.cloud.now = this.now
    this.edge.now = this.now
    if (this.now % this.#cutEvery === 0) this.link(false)
    else if (!this.#up) this.link(true)
    await this.#deliver('toEdge', (bytes) => this.edge.receive(bytes))
    await this.#deliver('toCloud', (bytes) => this.cloud.receive(bytes))
    if (this.now % 1000 !== 0) return
    this.cloud.tell({ is: 'tick' })
    this.edge.tick()
    await settle()
  }

  async #deliver(way: 'toEdge' | 'toCloud', receive: (bytes: Buffer) => void): Promise<void> {
    for (let next = this.#queues[way][0]; next !== undefined && next.doneAt <= this.now; next = this.#queues[way][0]) {
      this.#queues[way].shift()
      receive(next.bytes)
      await settle()
    }
  }

  #send(way: 'toEdge' | 'toCloud', bytes: Buffer): void {
    const free = Math.max(this.now, this.#queues[way].at(-1)?.doneAt ?? 0)
    const doneAt = free + (bytes.length / this.#bytesPerSecond) * 1000
    this.longestWait = Math.max(this.longestWait, doneAt - this.now)
    this.carried[way] += bytes.length
    this.#queues[way].push({ bytes, doneAt })
  }
}

const meta = (name: string) => ({ name, namespace: 'default', uid: name })
const configMap = (name: string, value: string): [Key, KubeObject] => [
  `configmaps/default/${name}`,
  { metadata: meta(name), data: { value } },
]

/** Text that hardly gets smaller when it is packed. */
function noise(chars: number): string {
  let text = ''
  for (let part = 0; text.length < chars; part++) text += createHash('sha512').update(`${part}`).digest('base64')
  return text.slice(0, chars)
}

const mebibyte = 1024 * 1024
/** An MQTT keep-alive of 30 s ends a connection that is silent for one and a half times as long. */
const keepAlive = 45_000

describe('a link of 10 kB/s', () => {
  test('that is cut every 30 seconds carries an object of 1 MiB, and little of it twice', async () => {
    const link = new SlowLink({ bytesPerSecond: 10_000, cutEvery: 30_000 })
    link.cloud.set(...configMap('small', '1'))
    link.cloud.set(...configMap('large', noise(mebibyte)))
    link.link(true)
    await link.agree(600)
    expect(link.edge.holds).toEqual(link.cloud.holds)
    // Packed it has some 800 kB.
    expect(link.carried.toEdge).toBeLessThan(1.6 * 800_000)
    expect(link.longestWait).toBeLessThan(keepAlive / 2)
  })

  test('carries 2,000 objects in portions that let a ping through', async () => {
    const link = new SlowLink({ bytesPerSecond: 10_000, cutEvery: 30_000 })
    for (let index = 0; index < 2000; index++) link.cloud.set(...configMap(`c${index}`, noise(200)))
    link.link(true)
    await link.agree(600)
    expect(link.edge.holds).toEqual(link.cloud.holds)
    expect(link.longestWait).toBeLessThan(keepAlive / 2)
  })

  test('brings a small change through while a large one is on its way', async () => {
    const link = new SlowLink({ bytesPerSecond: 10_000 })
    link.link(true)
    await link.agree(10)
    link.cloud.set(...configMap('large', noise(mebibyte)))
    link.cloud.set(...configMap('small', '1'))
    await link.agree(15)
    expect([...link.edge.holds.keys()]).toEqual(['configmaps/default/small'])
    await link.agree(300)
    expect(link.edge.holds).toEqual(link.cloud.holds)
  })
})

test.each([1000, 100])(
  'a link of %i bytes a second carries an object in the end, and sends nothing twice',
  async (rate) => {
    const link = new SlowLink({ bytesPerSecond: rate })
    link.cloud.set(...configMap('large', noise(100_000)))
    link.link(true)
    await link.agree(4000)
    expect(link.edge.holds).toEqual(link.cloud.holds)
    expect(link.carried.toEdge).toBeLessThan(1.1 * 80_000)
  },
)

test('three differences among 5,000 objects are found for some 3 kB', async () => {
  const link = new SlowLink({ bytesPerSecond: 1e9 })
  for (let index = 0; index < 5000; index++) link.cloud.set(...configMap(`c${index}`, '1'))
  link.link(true)
  await link.agree(60)
  link.link(false)
  link.cloud.restart('e2')
  link.cloud.set(...configMap('c7', '2'))
  link.cloud.set(...configMap('new', '1'))
  link.cloud.set('configmaps/default/c9', undefined)
  const before = link.carried.toCloud
  link.link(true)
  await link.agree(60)
  expect(link.edge.holds).toEqual(link.cloud.holds)
  expect(link.carried.toCloud - before).toBeLessThan(4500)
})
