import { migrate, migrations } from '@kedge/edgecore/store/migrations'
import { Outbox } from '@kedge/edgecore/store/outbox'
import type { OutboxBounds } from '@kedge/edgecore/store/outbox-bounds'
import { type DeviceReport, type EventReport, type Lane, lanes } from '@kedge/shared/reports'
import { Database } from '@kedge/shared/sqlite'
import { beforeEach, describe, expect, test } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'

let db: Database
let clock: HandClock
let outbox: Outbox

function open(bounds?: OutboxBounds): Outbox {
  let ids = 0
  return new Outbox(db, clock, { ...(bounds && { bounds }), newId: () => `gap-${String(++ids).padStart(4, '0')}` })
}

beforeEach(() => {
  db = new Database(':memory:')
  migrate(db)
  clock = new HandClock()
  outbox = open()
})

const temperature = (value: string, at = 1) => ({ type: 'float', reported: { value, at } })

function device(fields: Partial<DeviceReport>): DeviceReport {
  return { is: 'device', namespace: 'default', name: 'lamp', uid: 'u1', ...fields }
}

function event(number: number, fields: Partial<EventReport> = {}): EventReport {
  const id = `event-${String(number).padStart(6, '0')}`
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  const said = { type: 'Normal', reason: 'Test', message: 'm'.repeat(100), at: number, by: 'test' } as const
  return { is: 'event', id, regarding, ...said, ...fields }
}

const reports = (lane?: Lane) => outbox.all().flatMap((row) => (lane && row.lane !== lane ? [] : row.report))

/** The sums as a look at all rows gives them. */
function counted() {
  return db
    .prepare(
      `SELECT lane, refused IS NOT NULL AS aside, count(*) AS reports, sum(outbox.bytes) AS bytes,
        (SELECT count(*) FROM outbox_parts) AS parts FROM outbox GROUP BY 1, 2`,
    )
    .all()
}

function kept() {
  const parts = (db.prepare('SELECT count(*) AS parts FROM outbox_parts').get() as { parts: number }).parts
  const sums = db.prepare('SELECT * FROM outbox_sums WHERE reports > 0 ORDER BY lane, aside').all() as object[]
  return sums.map((sum) => ({ ...sum, parts }))
}

describe('two reports on one device fold into one', () => {
  test('property by property, the newer wins', () => {
    outbox.add(device({ twins: { a: temperature('1'), b: temperature('2') } }))
    outbox.add(device({ twins: { b: temperature('3', 2), c: null } }))
    expect(reports()).toEqual([device({ twins: { a: temperature('1'), b: temperature('3', 2), c: null } })])
  })

  test('keeping a state that the newer says nothing of', () => {
    const older = device({ state: 'online', lastOnlineTime: '2026-01-01T00:00:00Z' })
    outbox.add(older)
    outbox.add(device({ twins: { a: null } }))
    expect(reports()).toEqual([{ ...older, twins: { a: null } }])
  })

  test('unless the device was made anew meanwhile', () => {
    outbox.add(device({ twins: { a: temperature('1') } }))
    outbox.add(device({ uid: 'u2', state: 'online' }))
    expect(reports()).toEqual([device({ uid: 'u2', state: 'online' })])
  })
})

describe('an answer', () => {
  const row = () => outbox.pending(1)[0]
  const seq = () => row()?.seq ?? 0

  test('removes what was sent and leaves what came later', () => {
    outbox.add(device({ twins: { a: temperature('1'), b: temperature('1') } }))
    outbox.add(device({ twins: { b: temperature('2') } }))
    outbox.accepted(seq(), 1)
    expect(row()?.report).toEqual(device({ twins: { b: temperature('2') } }))
    outbox.accepted(seq(), 2)
    expect(outbox.all()).toEqual([])
    expect(counted()).toEqual([])
    expect(kept()).toEqual([])
  })

  test('to the later part of a report leaves the earlier', () => {
    outbox.add(device({ twins: { a: temperature('1') } }))
    outbox.add(device({ twins: { b: temperature('2') } }))
    expect(outbox.get(seq(), 1)?.report).toEqual(device({ twins: { b: temperature('2') } }))
    outbox.accepted(seq(), 2, 1)
    expect(row()?.report).toEqual(device({ twins: { a: temperature('1') } }))
  })

  test('that comes twice hits nothing that was said since', () => {
    outbox.add(device({ state: 'online' }))
    const first = seq()
    outbox.accepted(first, 1)
    outbox.add(device({ state: 'offline' }))
    outbox.accepted(first, 1)
    expect(reports()).toEqual([device({ state: 'offline' })])
  })
})

describe('bounds', () => {
  test('the oldest events give way to the newest, and a gap record counts them all', () => {
    outbox = open({ bytes: 100_000, age: 1e9 })
    for (let number = 0; number < 1000; number++) {
      clock.jump(1000)
      outbox.add(event(number))
    }
    const held = reports('events')
    expect(held.at(-1)).toMatchObject({ id: 'event-000999' })
    const bytes = outbox.sums().get('events')?.bytes ?? 0
    expect(bytes).toBeGreaterThan(40_000)
    expect(bytes).toBeLessThan(52_000)
    const [gap, ...others] = reports('control')
    expect(others).toEqual([])
    expect(gap).toMatchObject({ is: 'gap', id: 'gap-0001', lane: 'events', why: 'bytes', count: 1000 - held.length })
    expect(gap).toMatchObject({
      from: Date.UTC(2026, 0, 1) + 1000,
      to: Date.UTC(2026, 0, 1) + (1000 - held.length) * 1000,
    })
    expect(outbox.dropped.get('events')).toBe(1000 - held.length)
    expect(counted()).toEqual(kept())
  })

  test('a gap that was answered is not counted again', () => {
    outbox = open({ bytes: 20_000, age: 1e9 })
    for (let number = 0; number < 100; number++) outbox.add(event(number))
    const [first] = outbox.pending(1)
    outbox.accepted(first?.seq ?? 0, first?.version ?? 0)
    for (let number = 100; number < 200; number++) outbox.add(event(number))
    const counts = [first?.report, reports('control')[0]].map((gap) => (gap?.is === 'gap' ? gap.count : 0))
    expect(counts.reduce((sum, count) => sum + count, reports('events').length)).toBe(200)
  })

  test('events give way to alarms and states, and these to nothing', () => {
    outbox = open({ bytes: 100_000, age: 1e9 })
    for (let number = 0; number < 100; number++) outbox.add(event(number))
    for (let number = 100; number < 120; number++) outbox.add(event(number, { type: 'Warning' }))
    for (let property = 0; property < 3000; property++) {
      outbox.add(device({ twins: { [`p${property}`]: temperature('1') } }))
    }
    outbox.tidy()
    expect(reports('events')).toEqual([])
    const [state] = reports('state')
    expect(state?.is === 'device' && Object.keys(state.twins ?? {})).toHaveLength(3000)
    expect(reports('control').map((gap) => gap.is === 'gap' && [gap.lane, gap.count])).toEqual([
      ['events', 100],
      ['alarms', 20],
    ])
  })

  test('what waited too long goes, by the time that the node has run and not by a clock that jumps', () => {
    outbox = open({ bytes: 1e6, age: 60_000 })
    outbox.add(event(1))
    outbox.add(device({ state: 'online' }))
    clock.jump(50 * 365 * 86_400_000)
    outbox.tidy()
    expect(reports('events')).toHaveLength(1)
    clock.tick(50_000)
    outbox.tidy()
    outbox = open({ bytes: 1e6, age: 60_000 })
    outbox.add(event(2))
    clock.tick(20_000)
    expect(outbox.tidy()).toBe(false)
    expect(reports('events')).toMatchObject([{ id: 'event-000002' }])
    expect(reports('control')).toMatchObject([{ lane: 'events', why: 'age', count: 1 }])
    expect(reports('state')).toHaveLength(1)
  })

  test('many at once are dropped in steps', () => {
    outbox = open({ bytes: 1e8, age: 60_000 })
    for (let number = 0; number < 3000; number++) outbox.add(event(number))
    clock.tick(61_000)
    expect(outbox.tidy()).toBe(true)
    expect(outbox.tidy()).toBe(false)
    expect(reports('control')).toMatchObject([{ count: 3000 }])
  })

  test('what was refused is kept for a day of running', () => {
    outbox.add(event(1))
    outbox.refused(outbox.pending(1)[0]?.seq ?? 0, 1, 'no')
    expect([outbox.asideSum().reports, outbox.pending(1).length]).toEqual([1, 0])
    clock.tick(86_000_000)
    outbox.tidy()
    expect(outbox.aside()).toHaveLength(1)
    clock.tick(500_000)
    outbox.tidy()
    expect([outbox.aside(), outbox.asideSum().reports]).toEqual([[], 0])
  })
})

test('sums are those of the rows, whatever happens to them', () => {
  for (let number = 0; number < 20; number++) outbox.add(event(number))
  for (let number = 0; number < 9; number++) {
    outbox.add(device({ name: `d${number % 3}`, twins: { [`p${number % 2}`]: temperature('x'.repeat(number)) } }))
  }
  outbox.add(device({ name: 'd1', uid: 'u2', twins: { other: temperature('y') } }))
  const rows = outbox.all()
  for (const { seq, version, lane } of rows) {
    if (lane === 'state' && seq % 3 === 0) outbox.refused(seq, version, 'no')
    if (lane === 'events' && seq % 2 === 0) outbox.refused(seq, version, 'no')
    if (lane === 'events' && seq % 3 === 0) outbox.accepted(seq, version)
    if (seq % 5 === 0) outbox.remove(seq)
  }
  outbox.add(device({ name: 'd0', twins: { p0: temperature('news') } }))
  expect(counted()).toEqual(kept())
})

test('a database of before comes along with its reports', () => {
  const old = new Database(':memory:')
  old.exec(migrations[0] ?? '')
  old.pragma('user_version = 1')
  const add = old.prepare('INSERT INTO outbox (lane, subject, report, created_at, refused) VALUES (?, ?, ?, 1, ?)')
  const whole = device({
    twins: { a: temperature('1'), b: null },
    state: 'online',
    lastOnlineTime: '2026-01-01T00:00:00Z',
  })
  add.run(lanes.indexOf('state'), 'devices/default/lamp', JSON.stringify(whole), null)
  add.run(lanes.indexOf('events'), 'events/1', JSON.stringify(event(1)), 'no')
  migrate(old)
  db = old
  outbox = open()
  expect(reports()).toEqual([whole, event(1)])
  expect(counted()).toEqual(kept())
  outbox.accepted(1, 1)
  expect(outbox.asideSum().reports).toBe(outbox.all().length)
})
