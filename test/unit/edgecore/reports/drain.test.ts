import { Drain } from '@kedge/edgecore/reports/drain'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { systemClock } from '@kedge/shared/clock'
import type { Frame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import type { EventReport, Report } from '@kedge/shared/reports'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let store: Store
let outbox: Outbox
let drain: Drain
let sent: Frame<'reports'>[]
let linkUp: boolean

beforeEach(() => {
  store = Store.open({ path: `${tempDir()}/edge.db`, clock: systemClock, log: silentLog })
  outbox = new Outbox(store.db, systemClock)
  sent = []
  linkUp = true
  drain = new Drain({
    store,
    outbox,
    box: 'box-1',
    send: (frame) => {
      if (linkUp) sent.push(frame)
      return linkUp
    },
    clock: systemClock,
    log: silentLog,
  })
})

afterEach(() => {
  drain.down()
  store.close()
})

const items = () => sent.flatMap((frame) => frame.items)

function event(number: number): EventReport {
  const id = `event-${String(number).padStart(6, '0')}`
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  return { is: 'event', id, regarding, type: 'Normal', reason: 'Test', message: `${number}`, at: number, by: 'test' }
}

const lamp = (value: string): Report => ({
  is: 'device',
  namespace: 'default',
  name: 'lamp',
  uid: 'u1',
  twins: { on: { type: 'string', reported: { value, at: 1 } } },
})

function answer(accepted: [number, number][], box = sent.at(-1)?.box ?? ''): void {
  drain.answered({ is: 'answered', box, accepted, refused: [] })
}

describe('the drain', () => {
  test('sends what waited from before the link, states before events, and keeps it until it is answered', async () => {
    await store.commit(() => {
      outbox.add(event(1))
      outbox.add(lamp('1'))
    })
    drain.up()
    await eventually(() => expect(items()).toHaveLength(2))
    expect(items().map(({ report }) => (report as Report).is)).toEqual(['device', 'event'])
    expect(outbox.all()).toHaveLength(2)
    answer(items().map(({ seq, version }) => [seq, version]))
    await eventually(() => expect(outbox.all()).toHaveLength(0))
  })

  test('sends a report again when it was folded meanwhile, and only the answer to the newest removes it', async () => {
    drain.up()
    await store.commit(() => outbox.add(lamp('1')))
    await eventually(() => expect(items()).toHaveLength(1))
    await store.commit(() => outbox.add(lamp('2')))
    await eventually(() => expect(items()).toHaveLength(2))
    const [first, second] = items()
    answer([[first?.seq ?? 0, first?.version ?? 0]])
    await store.commit(() => undefined)
    expect(outbox.all()).toHaveLength(1)
    answer([[second?.seq ?? 0, second?.version ?? 0]])
    await eventually(() => expect(outbox.all()).toHaveLength(0))
  })

  test('sends everything unanswered again on a new link', async () => {
    drain.up()
    await store.commit(() => outbox.add(event(1)))
    await eventually(() => expect(items()).toHaveLength(1))
    drain.down()
    drain.up()
    await eventually(() => expect(items()).toHaveLength(2))
  })

  test('takes no answer that was meant for another database', async () => {
    drain.up()
    await store.commit(() => outbox.add(event(1)))
    await eventually(() => expect(items()).toHaveLength(1))
    answer([[items()[0]?.seq ?? 0, 1]], 'box-0.1')
    await store.commit(() => undefined)
    expect(outbox.all()).toHaveLength(1)
  })

  test('goes on, in order, when a long backlog is answered bit by bit, with a bounded number unanswered', async () => {
    await store.commit(() => {
      for (let number = 0; number < 2000; number++) outbox.add(event(number))
    })
    drain.up()
    let most = 0
    const answered = new Set<number>()
    await eventually(() => {
      const open = items().filter(({ seq }) => !answered.has(seq))
      most = Math.max(most, open.length)
      for (const { seq } of open) answered.add(seq)
      if (open.length > 0) answer(open.map(({ seq, version }) => [seq, version]))
      return outbox.pending(1).length === 0
    })
    expect(most).toBeLessThanOrEqual(1000)
    expect(items().map(({ report }) => (report as EventReport).at)).toEqual([...new Array(2000).keys()])
  })

  test('sets a report aside that fits into no frame, and sends what is behind it', async () => {
    await store.commit(() => {
      outbox.add(lamp('x'.repeat(9 * 1024 * 1024)))
      outbox.add(event(1))
    })
    drain.up()
    await eventually(() => outbox.all().some(({ refused }) => refused?.includes('fits into no frame')))
    await eventually(() => items().length > 0)
    expect(items().map(({ report }) => (report as Report).is)).toEqual(['event'])
    await store.commit(() => outbox.add({ ...lamp('2'), uid: 'u2' } as Report))
    await eventually(() => items().some(({ report }) => (report as Report).is === 'device'))
  })

  test('leaves room for all else while nobody takes telemetry', async () => {
    const upload = (number: number): Report => {
      const id = `upload-${String(number).padStart(6, '0')}`
      return { is: 'upload', id, topic: 'a/user/b', payload: 'A'.repeat(number === 0 ? 300_000 : 4000), at: 1 }
    }
    drain.up()
    await store.commit(() => outbox.add(upload(0)))
    await eventually(() => expect(items()).toHaveLength(1))
    await store.commit(() => {
      for (let number = 1; number <= 50; number++) outbox.add(upload(number))
      outbox.add(event(1))
      outbox.add(lamp('1'))
    })
    await eventually(() => expect(items()).toHaveLength(3))
    expect(items().map(({ report }) => (report as Report).is)).toEqual(['upload', 'device', 'event'])
    answer(items().map(({ seq, version }) => [seq, version]))
    await eventually(() => expect(items().length).toBeGreaterThan(3))
  })

  test('sends nothing while the link is down, and loses nothing', async () => {
    linkUp = false
    drain.up()
    await store.commit(() => outbox.add(event(1)))
    drain.down()
    linkUp = true
    drain.up()
    await eventually(() => expect(items()).toHaveLength(1))
  })
})
