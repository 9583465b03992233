import { expect, test } from 'vitest'
import { type Api, conditionOf, statusTwins } from '../support/api.ts'
import type { CutLink } from '../support/cut-link.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet, type FleetNode } from '../support/fleet.ts'
import { framesIn } from '../support/frames-seen.ts'
import { configMap, podOn, room, roomModel, secret } from '../support/manifests.ts'

const kitchen = 'devices/default/kitchen'
const update = '$hw/events/device/default/kitchen/twin/update'
const reported = (property: string, value: string) => ({ twin: { [property]: { actual: { value } } } })

/**
 * Resolves with all bytes carried once nothing is on its way: the node has said whether it is ready to be offline, which it
 * does last, no report waits, and nothing moved for half a second.
 */
async function quiet(node: FleetNode, api: Api): Promise<number> {
  await eventually(async () => conditionOf(await api.get(`nodes/${node.name}`), 'OfflineReady')?.status === 'True')
  const sum = ({ carried }: CutLink) => carried.up + carried.down
  let last = -1
  let since = performance.now()
  await eventually(async () => {
    const now = sum(node.link)
    if (now !== last || (await node.get('outbox')).length > 0) {
      last = now
      since = performance.now()
    }
    return performance.now() - since > 500
  })
  return last
}

/** How often this node has found itself in sync. */
function syncs(node: FleetNode): number {
  return node.log.filter(({ msg }) => msg === 'in sync').length
}

test('a reconnect with nothing changed costs less than 1 KB, also after a restart of cloudcore', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  const { api } = fleet
  await api.create(roomModel())
  for (let n = 0; n < 33; n++) {
    const settings = configMap(`settings-${n}`, { text: `${n} `.repeat(100) })
    await api.create(settings, podOn(`web-${n}`, 'edge-1', { configMap: `settings-${n}` }), room(`room-${n}`, 'edge-1'))
  }
  await eventually(async () => (await edge.keys()).length === 99)
  await eventually(async () => {
    const pods = await api.list('pods')
    return pods.every(({ status }) => status.phase === 'Running')
  })
  await fleet.level()

  const before = await quiet(edge, api)
  const known = syncs(edge)
  edge.link.cut()
  edge.link.heal()
  await eventually(() => syncs(edge) > known)
  await fleet.level()
  const reconnected = await quiet(edge, api)
  expect(reconnected - before).toBeGreaterThan(100)
  expect(reconnected - before).toBeLessThan(1000)

  await fleet.stopCloud()
  await fleet.startCloud()
  await eventually(() => syncs(edge) > known + 1)
  await fleet.level()
  expect((await quiet(edge, fleet.api)) - reconnected).toBeLessThan(1000)
})

test('a plain link is told in both logs and by the condition of the node', async () => {
  const fleet = await Fleet.start()
  const condition = await eventually(async () => conditionOf(await fleet.api.get('nodes/edge-1'), 'LinkSecure'))
  expect(condition).toMatchObject({ status: 'False', reason: 'PlainMQTT' })
  for (const log of [fleet.cloudLog, fleet.node('edge-1').log]) {
    expect(log.filter(({ msg }) => msg === 'link is plain')).toMatchObject([{ level: 'warn' }])
  }
})

test('what changes during a cut arrives afterwards, in both directions, in its last form', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  const { api } = fleet
  await api.create(roomModel(), room('kitchen', 'edge-1'), configMap('settings', { colour: 'green' }))
  await api.create(podOn('web', 'edge-1', { configMap: 'settings' }), podOn('old', 'edge-1'))
  await eventually(async () => (await edge.keys()).length === 4)
  await fleet.level()

  edge.link.cut()
  for (const colour of ['blue', 'red']) await api.patch('configmaps/default/settings', { data: { colour } })
  await api.desire(kitchen, { target: '22' })
  await api.create(podOn('new', 'edge-1'))
  await api.remove('pods/default/old')
  const device = await edge.device()
  for (const value of ['1', '2', '3']) await device.publish(update, reported('temperature', value))
  await device.publish(update, reported('lamp', 'on'))
  expect((await edge.get('configmaps'))[0].data.colour).toBe('green')
  expect(statusTwins(await api.get(kitchen)).temperature).toBeUndefined()

  edge.link.heal()
  const keys = ['configmaps/default/settings', kitchen, 'pods/default/new', 'pods/default/web']
  await eventually(async () => (await edge.keys()).join() === keys.join())
  expect((await edge.get('configmaps'))[0].data.colour).toBe('red')
  expect((await edge.twins())['default/kitchen/target']).toEqual({ desired: '22' })
  await eventually(async () => {
    const { temperature, lamp, target } = statusTwins(await api.get(kitchen))
    return temperature?.reported === '3' && lamp?.reported === 'on' && target?.desired === '22'
  })
  await eventually(async () => (await api.find('pods/default/old')) === undefined)
})

test('a link that stalls loses nothing: what was held up goes through when it recovers', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))
  await fleet.level()
  edge.link.stall()
  const device = await edge.device()
  await device.publish(update, reported('temperature', '7'))
  await fleet.api.desire(kitchen, { target: '22' })
  edge.link.heal()
  await eventually(async () => (await edge.twins())['default/kitchen/target']?.desired === '22')
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === '7')
  expect(edge.link.connections).toBe(1)
})

test('reports whose answers were lost go again, and are taken once', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))
  await fleet.level()
  await quiet(edge, fleet.api)

  edge.link.mute()
  const device = await edge.device()
  await device.publish(update, reported('temperature', '7'))
  await device.publish(update, reported('temperature', 'warm'))
  const refusals = async () => (await fleet.api.list('events')).filter(({ reason }) => reason === 'WriteRefused')
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === '7')
  await eventually(async () => (await refusals()).length === 1)
  expect((await edge.get('outbox')).map(({ report }) => report.is).sort()).toEqual(['device', 'event'])

  edge.link.cut()
  edge.link.heal()
  await eventually(async () => (await edge.get('outbox')).length === 0)
  expect(await refusals()).toHaveLength(1)
  expect(statusTwins(await fleet.api.get(kitchen)).temperature?.reported).toBe('7')
})

test('what cloudcore has heard and not written when it is killed goes again', async () => {
  const fleet = await Fleet.start({ cloud: 'process', statusInterval: 600_000 })
  const edge = fleet.node('edge-1')
  await eventually(() => fleet.api.find('nodes/edge-1'))
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))
  await eventually(async () => conditionOf(await fleet.api.get(kitchen), 'Ready')?.reason === 'Synced')
  const device = await edge.device()
  // The first value is written at once; the next has to wait for its interval.
  await device.publish(update, reported('temperature', '7'))
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === '7')
  await quiet(edge, fleet.api)
  const heard = edge.link.carried.up
  await device.publish(update, reported('temperature', '8'))
  await eventually(() => edge.link.carried.up > heard)
  // What comes down after this comes after any answer to that report.
  await fleet.api.desire(kitchen, { lamp: 'on' })
  await eventually(async () => (await edge.twins())['default/kitchen/lamp']?.desired === 'on')
  await fleet.stopCloud('kill')
  expect((await edge.get('outbox')).map(({ subject }) => subject)).toContain('devices/default/kitchen')
  await fleet.startCloud()
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === '8')
})

test('a node that comes back while its old connection still hangs is served at once', async () => {
  const fleet = await Fleet.start({ edges: 'process' })
  const edge = fleet.node('edge-1')
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))
  edge.link.stall()
  await fleet.api.desire(kitchen, { target: '22' })
  await edge.stop('kill')
  edge.link.healForNewConnections()
  await edge.start()
  await eventually(async () => (await edge.twins())['default/kitchen/target']?.desired === '22')
  await fleet.level()

  edge.link.heal()
  await eventually(() => edge.link.open === 1)
  await fleet.api.desire(kitchen, { target: '23' })
  await eventually(async () => (await edge.twins())['default/kitchen/target']?.desired === '23')
  expect(conditionOf(await fleet.api.get('nodes/edge-1'), 'Connected')?.status).toBe('True')
})

test('a slow link is as good as a quick one', async () => {
  const fleet = await Fleet.start()
  const edge = fleet.node('edge-1')
  edge.link.slow(300)
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await edge.keys()).includes(kitchen))
  const device = await edge.device()
  for (let value = 1; value <= 20; value++) await device.publish(update, reported('temperature', `${value}`))
  for (let target = 10; target < 20; target++) await fleet.api.desire(kitchen, { target: `${target}` })
  await eventually(async () => (await edge.twins())['default/kitchen/target']?.desired === '19')
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).temperature?.reported === '20')
  expect(edge.link.connections).toBe(1)
})

test('no node is sent what is not its own', async () => {
  const fleet = await Fleet.start({ nodes: ['edge-1', 'edge-2'] })
  const { api } = fleet
  await api.create(roomModel('room'), roomModel('hall'))
  for (const [n, model] of [
    ['1', 'room'],
    ['2', 'hall'],
  ] as const) {
    await api.create(configMap(`settings-${n}`, { of: n }), secret(`keys-${n}`, { of: n }), configMap(`unused-${n}`))
    await api.create(podOn(`web-${n}`, `edge-${n}`, { configMap: `settings-${n}`, secret: `keys-${n}` }))
    await api.create(room(`kitchen-${n}`, `edge-${n}`, { model }))
  }
  const own = (n: string) => [
    ...[`configmaps/default/settings-${n}`, `devices/default/kitchen-${n}`],
    ...[`pods/default/web-${n}`, `secrets/default/keys-${n}`],
  ]
  for (const n of ['1', '2']) {
    await eventually(async () => (await fleet.node(`edge-${n}`).keys()).join() === own(n).join())
    await api.patch(`configmaps/default/settings-${n}`, { data: { again: 'x' } })
    await api.desire(`devices/default/kitchen-${n}`, { target: '7' })
    await eventually(async () => (await fleet.node(`edge-${n}`).get('configmaps'))[0].data.again === 'x')
    await eventually(async () => {
      return (await fleet.node(`edge-${n}`).twins())[`default/kitchen-${n}/target`]?.desired === '7'
    })
  }
  for (const [n, model] of [
    ['1', 'room'],
    ['2', 'hall'],
  ] as const) {
    const frames = fleet.node(`edge-${n}`).link.toEdge.flatMap(framesIn)
    const keys = frames.flatMap((frame) => (frame.is === 'changes' ? frame.put.map(([key]) => key) : []))
    expect([...new Set(keys)].sort()).toEqual([...own(n), `devicemodels/default/${model}`].sort())
    expect(keys.filter((key) => key === `pods/default/web-${n}`)).toHaveLength(1)
  }
})
