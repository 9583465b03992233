import { Inbox } from '@kedge/cloudcore/sync/inbox'
import type { Frame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import type { EventReport, PodReport, Report } from '@kedge/shared/reports'
import { beforeEach, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'

type Verdict = { is: 'accepted' } | { is: 'refused'; reason: string }

let asked: { node: string; report: Report; decide: (verdict: Verdict) => void }[]
let answers: { node: string; frame: Frame<'answered'> }[]
let inbox: Inbox

beforeEach(() => {
  asked = []
  // What a former test left undone must not land here.
  const mine: typeof answers = []
  answers = mine
  inbox = new Inbox({
    sink: { accept: (node, report) => new Promise((decide) => void asked.push({ node, report, decide })) },
    send: (node, frame) => void mine.push({ node, frame }),
    mostPending: 50,
    log: silentLog,
  })
})

function event(number: number): EventReport {
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  const id = `event-${String(number).padStart(6, '0')}`
  return { is: 'event', id, regarding, type: 'Normal', reason: 'Test', message: '', at: number, by: 'test' }
}

const pod = (name: string): PodReport => ({ is: 'pod', namespace: 'default', name, uid: 'u', status: {} })

function reports(...items: unknown[]): Frame<'reports'> {
  return { is: 'reports', box: 'box.1', items: items.map((report, index) => ({ seq: index + 1, version: 1, report })) }
}

const many = (count: number) => Array.from({ length: count }, (_, number) => event(number))

test('answers each report once it is decided, and those that fall together in one frame', async () => {
  inbox.receive('edge-1', reports(pod('a'), pod('b'), { is: 'nonsense' }))
  await eventually(() => answers.length === 1)
  expect(answers[0]?.frame.refused).toMatchObject([{ ref: [3, 1] }])
  asked[1]?.decide({ is: 'accepted' })
  asked[0]?.decide({ is: 'refused', reason: 'no' })
  await eventually(() => answers.length === 2)
  expect(answers[1]).toEqual({
    node: 'edge-1',
    frame: { is: 'answered', box: 'box.1', accepted: [[2, 1]], refused: [{ ref: [1, 1], reason: 'no' }] },
  })
})

test("a node's many events take turns with another's few, and hold up no states", async () => {
  inbox.receive('edge-1', reports(...many(40)))
  inbox.receive('edge-2', reports(event(100), event(101)))
  inbox.receive('edge-1', reports(pod('web')))
  expect(asked.filter(({ report }) => report.is === 'event')).toHaveLength(16)
  expect(asked.at(-1)?.report).toMatchObject({ is: 'pod' })
  const begun = asked.length
  for (const { decide } of asked.slice(0, 3)) decide({ is: 'accepted' })
  await eventually(() => asked.length === begun + 3)
  expect(asked.slice(begun).map(({ node }) => node)).toEqual(['edge-1', 'edge-2', 'edge-1'])
})

test('takes no more of one node than it can hold, and takes them again later', async () => {
  inbox.receive('edge-1', reports(...many(60)))
  inbox.receive('edge-2', reports(pod('a')))
  expect([inbox.pending, inbox.counts.untaken]).toEqual([51, 10])
  for (let decided = 0; decided < 51; decided++) {
    await eventually(() => asked.length > decided)
    asked[decided]?.decide({ is: 'accepted' })
  }
  await eventually(() => inbox.pending === 0)
  await eventually(() => expect(answers.flatMap(({ frame }) => frame.accepted)).toHaveLength(51))
  inbox.receive('edge-1', reports(...many(10)))
  expect(inbox.pending).toBe(10)
})

test('a node that does nothing but say what is refused is counted, and does not fill the log', () => {
  const lines: Record<string, unknown>[] = []
  let now = 0
  const log = { ...silentLog, warn: (line: Record<string, unknown>) => void lines.push(line) } as typeof silentLog
  const sink = { accept: () => new Promise<never>(() => undefined) }
  const inbox = new Inbox({ sink, send: () => undefined, monotonic: () => now, log })
  const bad = reports(...Array.from({ length: 50 }, () => ({ is: 'nonsense' })))
  inbox.receive('edge-1', bad)
  inbox.receive('edge-2', reports({ is: 'nonsense' }))
  expect([inbox.counts.refused, lines.filter(({ node }) => node === 'edge-1').length]).toEqual([51, 10])
  expect(lines.filter(({ node }) => node === 'edge-2')).toHaveLength(1)
  now = 60_000
  inbox.receive('edge-1', reports({ is: 'nonsense' }))
  expect(lines.at(-1)).toMatchObject({ node: 'edge-1', more: 40 })
})
