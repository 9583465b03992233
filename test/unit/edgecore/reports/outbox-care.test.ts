import { NodeConditions } from '@kedge/edgecore/reports/node-conditions'
import { type OutboxCare, startOutboxCare } from '@kedge/edgecore/reports/outbox-care'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { silentLog } from '@kedge/shared/log'
import type { Report } from '@kedge/shared/reports'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let clock: HandClock
let store: Store
let outbox: Outbox
let conditions: NodeConditions
let changes: number
/** The keys of what this node should hold. */
let mine: Set<string>
let care: OutboxCare

beforeEach(() => {
  clock = new HandClock()
  store = Store.open({ path: `${tempDir()}/edge.db`, clock, log: silentLog })
  onTestFinished(() => store.close())
  outbox = new Outbox(store.db, clock, { bounds: { bytes: 1e7, age: 3_600_000 } })
  conditions = new NodeConditions()
  changes = 0
  conditions.onChange(() => changes++)
  mine = new Set(['devices/default/lamp', 'devices/default/fan'])
  care = start()
})

function start(): OutboxCare {
  const objects = { get: (key: string) => (mine.has(key) ? {} : undefined) }
  const started = startOutboxCare({ store, outbox, objects, conditions, scheduler: clock, log: silentLog })
  onTestFinished(() => started.stop())
  return started
}

const device = (name: string, value = '1'): Report => ({
  ...{ is: 'device', namespace: 'default', name, uid: name },
  twins: { on: { type: 'string', reported: { value, at: 1 } } },
})

const event = (number: number): Report => ({
  ...{ is: 'event', id: `event-${String(number).padStart(6, '0')}`, type: 'Normal', reason: 'Test', message: '' },
  ...{ regarding: { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }, at: 1, by: 'test' },
})

/** Adds reports that are refused at once. */
function refuse(...reports: Report[]): Promise<void> {
  return store.commit(() => {
    for (const report of reports) outbox.add(report)
    for (const { seq, version } of outbox.pending(100)) outbox.refused(seq, version, 'no such field')
  })
}

const aside = () => outbox.aside().map(({ subject }) => subject)

/** Lets so much time pass, and what falls due be done. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; ) {
    left -= clock.tick(left)
    await store.commit(() => {})
  }
}

test('what is set aside is told until it is gone, and then that nothing is', async () => {
  expect(conditions.now()).toEqual([])
  await refuse(device('lamp'), device('fan'))
  care.refused('no such field')
  expect(changes).toBe(1)
  expect(conditions.now()).toMatchObject([{ type: 'ReportsRefused', status: 'True' }])
  expect(conditions.now()[0]?.message).toMatch(/^2 reports are set aside.*no such field$/)
  // There is news on the one, which waits to be sent now, and nobody asks for the other any more.
  await store.commit(() => outbox.add(device('lamp', '2')))
  mine.delete('devices/default/fan')
  await pass(61_000)
  await eventually(() => expect(aside()).toEqual([]))
  expect(conditions.now()).toMatchObject([{ status: 'False', reason: 'NoneRefused' }])
  expect(changes).toBe(2)
})

test('what was told once is told after a restart, too', async () => {
  await refuse(device('lamp'))
  care.refused('no such field')
  await store.commit(() => {})
  await care.stop()
  conditions = new NodeConditions()
  start()
  expect(conditions.now()).toMatchObject([{ status: 'True' }])
})

test('what was said of a device that has moved to another node goes; what is about no object stays', async () => {
  await refuse(device('lamp'), device('fan'), event(1))
  mine.delete('devices/default/lamp')
  await pass(2000)
  await eventually(() => expect(aside()).toEqual(['events/event-000001', 'devices/default/fan']))
})

test('what has waited too long goes without a cloud, counted, however much it is', async () => {
  await store.commit(() => {
    for (let number = 0; number < 4500; number++) outbox.add(event(number))
    outbox.add(device('lamp'))
  })
  await pass(3_700_000)
  await eventually(() => expect(outbox.pending(10).map(({ subject }) => subject)).toHaveLength(2))
  expect(outbox.pending(10).map(({ report }) => report)).toMatchObject([
    { is: 'gap', lane: 'events', why: 'age', count: 4500 },
    { is: 'device', name: 'lamp' },
  ])
  expect(outbox.dropped.get('events')).toBe(4500)
})

test('whose a subject is', () => {
  const subjects = ['devices/default/lamp', 'devices/default/other', 'node', 'events/event-000001', 'gaps/events/age']
  expect(subjects.map((subject) => care.isOurs(subject))).toEqual([true, false, true, true, true])
})
