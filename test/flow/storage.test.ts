import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Database } from '@kedge/shared/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { conditionOf, statusTwins } from '../support/api.ts'
import type { DeviceClient } from '../support/device-client.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet, FleetNode } from '../support/fleet.ts'
import { podOn, room, roomModel } from '../support/manifests.ts'
import { canMount, limitFiles, SmallDisk } from '../support/small-disk.ts'

const kitchen = 'devices/default/kitchen'
const topic = (action: string) => `$hw/events/device/default/kitchen/${action}`
const mounts = canMount()
/** For what follows from a fault, on a machine that is busy with other tests. */
const patient = { within: 40_000 }

interface House {
  fleet: Fleet
  node: FleetNode
}

/** A fleet with a room and a pod on its node, whose data lies on a disk of `size` where one is given. */
async function house(size?: string): Promise<House & { disk: SmallDisk | undefined }> {
  const fleet = await Fleet.start({ nodes: [] })
  const node = await FleetNode.make('edge-1', { form: 'process' })
  const disk = size === undefined ? undefined : new SmallDisk(node.data, size)
  onTestFinished(() => node.close())
  node.link.target = fleet.cloud.linkPort
  await node.start()
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'), podOn('web', 'edge-1'))
  await eventually(async () => (await fleet.api.get('pods/default/web')).status.phase === 'Running')
  await eventually(async () => (await node.keys()).includes(kitchen))
  return { fleet, node, disk }
}

class Thermometer {
  readonly #node: FleetNode
  #client: DeviceClient | undefined
  #count = 0
  /** The last value whose update was answered without an error. */
  kept: string | undefined

  constructor(node: FleetNode) {
    this.#node = node
  }

  /** Reports a value; the answer. */
  async report(value: string) {
    const body = await this.#ask('twin/update', { twin: { temperature: { actual: { value } } } })
    if (body.code === undefined) this.kept = value
    return body
  }

  /** What edgecore says that the value is. */
  async value(): Promise<string | undefined> {
    return (await this.#ask('twin/get', {})).twin.temperature?.actual?.value
  }

  /** Asks, and asks again when the connection has gone meanwhile: what is not kept ends it, unacknowledged. */
  async #ask(action: string, body: object) {
    const event_id = `request-${++this.#count}`
    const answer = (client: DeviceClient) => client.seen.find((seen) => seen.body?.event_id === event_id)?.body
    return eventually(async () => {
      const client = await this.#connected()
      client.publish(topic(action), { event_id, ...body }).catch(() => {})
      return eventually(() => answer(client) ?? (client.mqtt.connected ? undefined : 'gone')).then(
        (found) => found !== 'gone' && found,
      )
    })
  }

  async #connected(): Promise<DeviceClient> {
    if (this.#client?.mqtt.connected) return this.#client
    this.#client = await this.#node.device()
    return this.#client.subscribe(topic('twin/update/result'), topic('twin/get/result'))
  }
}

async function storage({ fleet }: House, reason: string) {
  return eventually(async () => {
    const condition = conditionOf(await fleet.api.get('nodes/edge-1'), 'StorageHealthy')
    return condition?.reason === reason && condition
  }, patient)
}

async function reaches({ fleet }: House, value: string | undefined): Promise<void> {
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === value, patient)
}

test(`a full disk (${mounts ? 'a tmpfs that fills up' : 'RLIMIT_FSIZE'}): refused and said, nothing lost, and over when there is room`, async () => {
  const home = await house(mounts ? '3m' : undefined)
  const { fleet, node, disk } = home
  const device = new Thermometer(node)
  expect((await device.report('20')).code).toBeUndefined()
  const pid = node.edge.pid ?? 0
  if (disk) disk.fill()
  else limitFiles(pid, statSync(join(node.data, 'edge.db-wal')).size)
  const refusal = await eventually(async () => {
    const answer = await device.report(String(Math.floor(Math.random() * 1000)))
    return answer.code !== undefined && answer
  })
  expect(refusal).toMatchObject({ code: 500, reason: expect.stringMatching(disk ? /disk is full/ : /disk/) })
  expect(await device.value()).toBe(device.kept)
  expect(await storage(home, disk ? 'DiskFull' : 'IOError')).toMatchObject({ status: 'False' })
  expect((await fleet.api.get('pods/default/web')).status.phase).toBe('Running')

  if (disk) disk.clear()
  else limitFiles(pid, 'unlimited')
  await storage(home, 'StorageHealthy')
  expect((await device.report('21')).code).toBeUndefined()
  await reaches(home, '21')
  expect(node.edge.pid).toBe(pid)
})

test.skipIf(!mounts)(
  'a read-only disk at the start (needs mount): it runs from what it held, says so, and writes again when it can',
  async () => {
    const home = await house('8m')
    const { fleet, node, disk } = home
    expect((await new Thermometer(node).report('20')).code).toBeUndefined()
    await reaches(home, '20')
    await node.stop('kill')
    disk?.readOnly()
    await node.start()
    const pid = node.edge.pid
    const device = new Thermometer(node)
    expect(await device.value()).toBe('20')
    expect(await device.report('21')).toMatchObject({ code: 500, reason: expect.stringMatching(/read-only/) })
    expect(await storage(home, 'ReadOnly')).toMatchObject({ status: 'False' })
    expect((await fleet.api.get('pods/default/web')).status.phase).toBe('Running')
    expect(node.log.filter(({ msg }) => msg === 'database cannot be written, read from memory')).toHaveLength(1)

    disk?.writable()
    await storage(home, 'StorageHealthy')
    expect((await new Thermometer(node).report('21')).code).toBeUndefined()
    await reaches(home, '21')
    expect(node.edge.pid).toBe(pid)
  },
)

test('a database damaged while edgecore runs: replaced, with what can be read of it, without an exit', async () => {
  const home = await house()
  const { fleet, node } = home
  const device = new Thermometer(node)
  expect((await device.report('20')).code).toBeUndefined()
  await reaches(home, '20')
  const pid = node.edge.pid
  damage(join(node.data, 'edge.db'))
  await device.report('22')
  await eventually(() => node.log.some(({ msg }) => msg === 'damaged database replaced'))
  await storage(home, 'DatabaseReplaced')
  const keys = [kitchen, 'pods/default/web']
  await eventually(async () => (await node.keys()).join() === keys.join())
  const event = await eventually(async () => {
    const events = await fleet.api.list('events')
    return events.find(({ reason }) => reason === 'DatabaseReplaced')
  })
  expect(event).toMatchObject({ type: 'Warning', involvedObject: { kind: 'Node', name: 'edge-1' } })
  expect(readdirSync(node.data).some((name) => name.startsWith('edge.db.corrupt-'))).toBe(true)
  expect((await device.report('21')).code).toBeUndefined()
  await reaches(home, '21')
  expect((await fleet.api.get('pods/default/web')).status.phase).toBe('Running')
  expect(node.edge.pid).toBe(pid)
})

/** Overwrites every page but the first, and lets the process see that something has changed. */
function damage(path: string): void {
  const db = new Database(path)
  db.pragma('wal_checkpoint(PASSIVE)')
  const file = openSync(path, 'r+')
  const garbage = Buffer.alloc(statSync(path).size - 1024, 0x5a)
  writeSync(file, garbage, 0, garbage.length, 1024)
  closeSync(file)
  db.pragma('application_id = 7')
  db.close()
}
