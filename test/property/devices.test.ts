import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SharedTopics } from '@kedge/edgecore/devices/drivers/topics'
import { WebhookServer } from '@kedge/edgecore/devices/drivers/webhooks'
import { Engine } from '@kedge/edgecore/devices/engine'
import { Objects } from '@kedge/edgecore/store/objects'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { Store } from '@kedge/edgecore/store/store'
import { TwinTable } from '@kedge/edgecore/store/twins'
import { hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { contentText, keyOf } from '@kedge/shared/objects'
import type { DeviceReport } from '@kedge/shared/reports'
import { twinReport } from '@kedge/shared/twin'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { device, model } from '../support/device-node.ts'

const names = ['a', 'b']
const topic = (name: string, action: string) => `$hw/events/device/default/${name}/${action}`

/** One node: what survives a crash is the database, what does not is the engine. */
class Node {
  readonly #dir = mkdtempSync(join(tmpdir(), 'kedge-'))
  readonly store = Store.open({ path: join(this.#dir, 'edge.db'), clock: systemClock, log: silentLog })
  readonly objects = new Objects(this.store.db)
  readonly outbox = new Outbox(this.store.db, systemClock)
  readonly answers: { topic: string; body: { event_id: string; code?: number; twin: Record<string, unknown> } }[] = []
  engine = this.#boot()

  #boot(): Engine {
    const { store, objects, outbox } = this
    const common = { clock: systemClock, log: silentLog, nodeName: 'edge-1', drivers: [] }
    return new Engine({
      ...common,
      store,
      objects,
      outbox,
      shared: { topics: new SharedTopics(), webhooks: new WebhookServer(null, silentLog) },
      publish: (message, done) => {
        this.answers.push({ topic: message.topic, body: JSON.parse(message.payload) })
        done?.()
      },
    })
  }

  /** The engine is gone at once, with whatever it had not handed to the database. */
  async crash(): Promise<void> {
    this.engine = this.#boot()
    await this.engine.start()
  }

  apply(object: ReturnType<typeof device>) {
    const key = keyOf(object.kind === 'DeviceModel' ? 'devicemodels' : 'devices', 'default', object.metadata.name)
    return this.store.commit(() => {
      const text = contentText(object.kind === 'DeviceModel' ? 'devicemodels' : 'devices', object)
      this.objects.put(key, text, hashOf(key, text), null)
      return key
    })
  }

  async take(name: string, action: string, body: unknown): Promise<void> {
    await this.engine.take(topic(name, action), Buffer.from(JSON.stringify(body)))
  }

  async close(): Promise<void> {
    await this.engine.stop()
    this.store.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

const value = fc.constantFrom('0', '1', '2', 'x')
const property = fc.constantFrom('led', 'level', 'own')
const name = fc.constantFrom(...names)
type Act =
  | { is: 'update'; name: string; twin: Record<string, unknown> }
  | { is: 'edit'; name: string; desired: Record<string, string>; woken: boolean }
  | { is: 'crash' }

const side = fc.record({ value })
const write = fc.option(fc.record({ expected: side, actual: side }, { requiredKeys: [] }), { freq: 6 })
const update: fc.Arbitrary<Act> = fc.record({
  is: fc.constant('update' as const),
  name,
  twin: fc.dictionary(property, write, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
})
const edit: fc.Arbitrary<Act> = fc.record({
  is: fc.constant('edit' as const),
  name,
  desired: fc.dictionary(property, value, { maxKeys: 2, noNullPrototype: true }),
  woken: fc.boolean(),
})
const crash: fc.Arbitrary<Act> = fc.constant({ is: 'crash' as const })
const schedule = fc.array(fc.oneof({ weight: 6, arbitrary: update }, { weight: 3, arbitrary: edit }, crash), {
  maxLength: 40,
})

async function play(node: Node, acts: readonly Act[]): Promise<void> {
  const waiting: Promise<unknown>[] = []
  for (const [at, act] of acts.entries()) {
    if (act.is === 'update') waiting.push(node.take(act.name, 'twin/update', { event_id: `${at}`, twin: act.twin }))
    if (act.is === 'edit') {
      const key = await node.apply(device(act.name, { desired: act.desired }))
      if (act.woken) waiting.push(node.engine.wake([key]))
    }
    if (act.is === 'crash') {
      await Promise.all(waiting.splice(0))
      await node.crash()
    }
  }
  await Promise.all(waiting)
}

test('whatever comes together, is edited or cut short: every update is answered in order, and what is held is what is reported', async () => {
  const run = async (acts: readonly Act[]) => {
    const node = new Node()
    try {
      await node.engine.start()
      await node.engine.wake([
        await node.apply(model()),
        ...(await Promise.all(names.map((each) => node.apply(device(each))))),
      ])
      await play(node, acts)
      for (const each of names) {
        const asked = acts.flatMap((act, at) => (act.is === 'update' && act.name === each ? [`${at}`] : []))
        const answered = node.answers.filter((answer) => answer.topic === topic(each, 'twin/update/result'))
        expect(answered.map(({ body }) => body.event_id)).toEqual(asked)

        const held = new TwinTable(node.store.db).all().get(`default/${each}`) ?? new Map()
        const report = node.outbox.all().find(({ subject }) => subject === `devices/default/${each}`)
          ?.report as DeviceReport
        const told = [...held].map(([key, twin]) => [key, twin.deleted ? null : twinReport(twin)])
        expect(report?.twins ?? {}).toEqual(Object.fromEntries(told))

        await node.take(each, 'twin/get', { event_id: 'before' })
        await node.crash()
        await node.take(each, 'twin/get', { event_id: 'after' })
        const [before, after] = node.answers.filter((answer) => answer.topic === topic(each, 'twin/get/result'))
        const last = acts.findLast((act) => act.is === 'edit' && act.name === each)
        if (last === undefined || (last.is === 'edit' && last.woken))
          expect(after?.body.twin).toEqual(before?.body.twin)
      }
    } finally {
      await node.close()
    }
  }
  await fc.assert(fc.asyncProperty(schedule, run), { numRuns: 40 })
})

test('a change that shows is reported, also when one that does not follows in the same transaction', async () => {
  const node = new Node()
  try {
    await node.engine.start()
    await node.engine.wake([await node.apply(model()), await node.apply(device('a'))])
    const key = await node.apply(device('a', { desired: { led: '1' } }))
    const written = node.take('a', 'twin/update', { twin: { led: { expected: { value: '1' } } } })
    await Promise.all([written, node.engine.wake([key])])
    const [row] = node.outbox.all()
    expect(row?.report).toMatchObject({ twins: { led: { desired: { value: '1' } } } })
    expect(row?.version).toBe(1)
  } finally {
    await node.close()
  }
})
