import { randomBytes } from 'node:crypto'
import { get } from '@kedge/edgecore/cli/get'
import { startEdgecore } from '@kedge/edgecore/edgecore'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { expect, onTestFinished, test } from 'vitest'
import { conditionOf, statusTwins } from '../support/api.ts'
import { DeviceClient } from '../support/device-client.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import type { Body } from '../support/kube.ts'
import { room, roomModel } from '../support/manifests.ts'
import { tempDir } from '../support/temp-dir.ts'

const rooms = ['a', 'b', 'c', 'd']

test('when the bytes of the day are spent, alarms and control go at once, and states wait', async () => {
  const fleet = await Fleet.start({ nodes: [] })
  const { api } = fleet
  const data = tempDir()
  const cloud = `mqtt://127.0.0.1:${fleet.cloud.linkPort}`
  const local = { data, mqttHost: '127.0.0.1', mqttPort: 0, metricsAddress: null }
  const edge = await startEdgecore({
    settings: { ...local, runtime: 'simulated', nodeName: 'edge-1', cloud, linkBudget: 30_000 },
    ...{ clock: systemClock, random: Math.random, log: silentLog },
  })
  onTestFinished(() => edge.stop())
  await eventually(() => api.find('nodes/edge-1'))
  await api.create(roomModel(), ...rooms.map((name) => room(name, 'edge-1')))
  const device = await DeviceClient.connect(edge.mqttPort)
  const report = (name: string, property: string, value: string) => {
    const twin = { [property]: { actual: { value } } }
    return device.publish(`$hw/events/device/default/${name}/twin/update`, { twin })
  }
  const reported = async (name: string) => statusTwins(await api.get(`devices/default/${name}`)).temperature?.reported
  await eventually(async () => conditionOf(await api.get('devices/default/d'), 'Synced')?.status === 'True')
  await report('a', 'temperature', '1')
  await eventually(async () => (await reported('a')) === '1')

  await report('a', 'lamp', randomBytes(30_000).toString('base64'))
  const spent = async () => conditionOf(await api.get('nodes/edge-1'), 'LinkBudgetSpent')
  await eventually(async () => (await spent())?.status === 'True')
  const waiting = async () => JSON.parse((await get(['outbox', '-o', 'json', '--data', data], { env: {}, now: 0 })).out)
  await eventually(async () => (await waiting()).items.length === 0)
  const alarm = async (name: string) => {
    const alarms = (await api.list('events')).filter(({ reason }) => reason === 'WriteRefused')
    return alarms.some(({ involvedObject }) => involvedObject.name === name)
  }
  // One round of states goes each five minutes; the first may go now.
  for (const [index, name] of rooms.entries()) {
    await report('a', 'temperature', `${index + 2}`)
    await report(name, 'temperature', 'warm')
    await eventually(() => alarm(name))
  }
  expect(Number(await reported('a'))).toBeLessThan(rooms.length + 1)
  await eventually(
    async () => (await waiting()).items.map(({ subject }: Body) => subject).join() === 'devices/default/a',
  )
})
