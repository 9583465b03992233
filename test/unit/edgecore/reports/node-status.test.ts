import { join } from 'node:path'
import type { ImageInfo, Verdict } from '@kedge/edgecore/pods/runtime'
import { type NodeCondition, NodeConditions } from '@kedge/edgecore/reports/node-conditions'
import type { NodeFacts } from '@kedge/edgecore/reports/node-facts'
import { type NodeStatus, startNodeStatus } from '@kedge/edgecore/reports/node-status'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { silentLog } from '@kedge/shared/log'
import type { NodeReport } from '@kedge/shared/reports'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const MiB = 1024 * 1024

let clock: HandClock
let store: Store
let outbox: Outbox
let available: number
let images: ImageInfo[]
let conditions: NodeConditions
let status: NodeStatus
let engine: Verdict

const well: Verdict = { ok: true }

async function facts(): Promise<NodeFacts> {
  return {
    cpus: 4,
    memory: { total: 1024 * MiB, available },
    disk: { total: 1000, available: 900, inodes: 10, inodesFree: 10 },
    kernelVersion: '6.6',
    osImage: 'Debian',
    machineId: 'm',
    bootId: 'b',
    systemUuid: 's',
    address: '192.0.2.7',
  }
}

function start(): NodeStatus {
  const runtime = {
    name: 'simulated',
    version: async () => '0.1.0',
    health: async () => ({ runtime: engine, network: engine }),
    images: async () => images,
  }
  const common = { store, outbox, clock, scheduler: clock, log: silentLog, facts, runtime, conditions }
  return startNodeStatus({ ...common, nodeName: 'edge-1', dataDir: '/' })
}

/** The node's report in the outbox, which is taken out of it. */
async function taken(): Promise<NodeReport | undefined> {
  const rows = outbox.all()
  await store.commit(() => {
    for (const { seq, version } of rows) outbox.accepted(seq, version)
  })
  return rows[0]?.report as NodeReport | undefined
}

async function aMinute(): Promise<void> {
  clock.tick(60_000)
  await status.look()
}

function conditionOf(report: NodeReport | undefined, type: string): string | undefined {
  const conditions = report?.status.conditions as Record<string, string>[] | undefined
  return conditions?.find((each) => each.type === type)?.status
}

const memoryPressure = (report: NodeReport | undefined) => conditionOf(report, 'MemoryPressure')

beforeEach(async () => {
  clock = new HandClock()
  engine = well
  store = Store.open({ path: join(tempDir(), 'edge.db'), clock, log: silentLog })
  outbox = new Outbox(store.db, clock)
  available = 512 * MiB
  images = []
  conditions = new NodeConditions()
  status = start()
  await status.look()
})

afterEach(async () => {
  await status.stop()
  store.close()
})

test('says how the node is at the start, and nothing more while nothing changes', async () => {
  expect(memoryPressure(await taken())).toBe('False')
  for (let minute = 0; minute < 10; minute += 1) await aMinute()
  expect(outbox.all()).toEqual([])
})

test('looks by itself every minute, says what changed, and holds a pressure for five minutes', async () => {
  await taken()
  available = 10 * MiB
  await aMinute()
  expect(memoryPressure(await taken())).toBe('True')
  available = 512 * MiB
  for (let minute = 0; minute < 4; minute += 1) await aMinute()
  expect(outbox.all()).toEqual([])
  await aMinute()
  expect(memoryPressure(await taken())).toBe('False')
})

test('a restart says it again, with the times of before', async () => {
  const before = await taken()
  await status.stop()
  clock.tick(3_600_000)
  status = start()
  await status.look()
  const after = await taken()
  const times = (report: NodeReport | undefined) => {
    const conditions = (report?.status.conditions ?? []) as Record<string, string>[]
    return conditions.map(({ lastTransitionTime }) => lastTransitionTime)
  }
  expect(times(after)).toHaveLength(5)
  expect(times(after)).toEqual(times(before))
})

test('says what other parts have to say of the node, soon after it changes', async () => {
  await taken()
  let condition: NodeCondition = { type: 'ReportsRefused', status: 'False', reason: 'NoneRefused', message: 'none' }
  conditions.add(() => condition)
  await aMinute()
  expect(conditionOf(await taken(), 'ReportsRefused')).toBe('False')
  condition = { type: 'ReportsRefused', status: 'True', reason: 'Refused', message: '1 report' }
  conditions.changed()
  conditions.changed()
  clock.tick(1000)
  const report = await eventually(taken)
  expect(conditionOf(report, 'ReportsRefused')).toBe('True')
})

test('an engine that was away counts again within seconds of its return', async () => {
  await taken()
  engine = { ok: false, reason: 'ContainerRuntimeUnreachable', message: 'connect ECONNREFUSED' }
  await aMinute()
  expect(conditionOf(await taken(), 'Ready')).toBe('False')
  engine = well
  clock.tick(5000)
  expect(conditionOf(await eventually(taken), 'Ready')).toBe('True')
})

test('a disk that takes no write does not silence the node: it reports from memory, and to the outbox once that goes', async () => {
  await taken()
  const heard: NodeReport[] = []
  status.onUnkept((report) => heard.push(report))
  store.db.pragma('query_only = ON')
  available = 10 * MiB
  await aMinute()
  expect([memoryPressure(heard[0]), memoryPressure(status.unkept), outbox.all()]).toEqual(['True', 'True', []])
  const since = (report: NodeReport | undefined) =>
    JSON.stringify(report?.status.conditions).match(/TransitionTime":"[^"]*/g)
  await aMinute()
  expect(heard).toHaveLength(2)
  expect(since(heard[1])).toEqual(since(heard[0]))
  store.db.pragma('query_only = OFF')
  await aMinute()
  expect(status.unkept).toBeUndefined()
  expect(memoryPressure(await taken())).toBe('True')
})

test('an image that is new on the node is told with the next look', async () => {
  await status.look()
  await taken()
  await aMinute()
  expect(await taken()).toBeUndefined()
  images = [{ id: 'sha256:1', names: ['nginx:1'], digests: [], bytes: 5, pinned: false }]
  await aMinute()
  expect((await taken())?.status.images).toEqual([{ names: ['nginx:1'], sizeBytes: 5 }])
})
