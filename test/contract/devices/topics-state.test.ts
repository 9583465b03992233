import { type Clock, systemClock } from '@kedge/shared/clock'
import { describe, expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { base, lamp, noDevice, time, uuid } from './lamp.ts'

describe('state/update', () => {
  test.each(['ok', 'online', 'offline', 'unhealthy', 'unknown', 'Online'])('%s is kept and answered', async (state) => {
    const { node, client } = await lamp()
    await client.publish(`${base}/state/update`, { event_id: 's', timestamp: 1, state })
    expect(await client.message(`${base}/state/update/result`)).toEqual({
      event_id: uuid,
      timestamp: time,
      device: { name: 'lamp', state, lastOnlineTime: /^(ok|online)$/i.test(state) ? expect.stringMatching(/Z$/) : '' },
    })
    if (state !== 'unknown') expect(node.report('lamp')).toMatchObject({ state })
  })

  test('the time last online stays when the device goes offline', async () => {
    const { node, client } = await lamp()
    await client.publish(`${base}/state/update`, { state: 'online' })
    await client.publish(`${base}/state/update`, { state: 'offline' })
    const { device: at } = await client.message(`${base}/state/update/result`)
    const { device: off } = await client.message(`${base}/state/update/result`, 2)
    expect(off).toEqual({ name: 'lamp', state: 'offline', lastOnlineTime: at.lastOnlineTime })
    expect(node.report('lamp')).toMatchObject({ state: 'offline', lastOnlineTime: at.lastOnlineTime })
  })

  test('an unknown state and an unknown device are answered', async () => {
    const { client } = await lamp()
    await client.publish(`${base}/state/update`, { event_id: 's', state: 'disconnected' })
    expect(await client.message(`${base}/state/update/result`)).toEqual({
      event_id: 's',
      timestamp: time,
      code: 400,
      reason: 'the state must be one of ok, online, offline, unhealthy, unknown, not disconnected',
    })
    await client.publish('$hw/events/device/a/b/state/update', { event_id: 's', state: 'online' })
    expect(await client.message('$hw/events/device/a/b/state/update/result')).toMatchObject({
      code: 404,
      reason: noDevice,
    })
  })

  test('saying online again is written once a minute, and the last time is kept on going offline', async () => {
    let now = 1_700_000_000_000
    const clock: Clock = { now: () => now, monotonic: systemClock.monotonic }
    const node = await DeviceNode.start({ clock })
    await node.apply(model(), device('lamp'))
    const client = await (await node.connect()).subscribe(`${base}/#`)
    const say = (state: string) => client.publish(`${base}/state/update`, { state })
    await say('online')
    const version = () => node.outbox.all().at(0)?.version
    now += 30_000
    await say('online')
    expect(version()).toBe(1)
    now += 40_000
    await say('online')
    expect(version()).toBe(2)
    now += 10_000
    await say('online')
    now += 1000
    await say('offline')
    expect(node.report('lamp')?.lastOnlineTime).toBe('2023-11-14T22:14:40Z')
  })

  test('stateReport.reportCycle is how often a state that stays is reported; a change is at once', async () => {
    let now = 1_700_000_000_000
    const clock: Clock = { now: () => now, monotonic: systemClock.monotonic }
    const node = await DeviceNode.start({ clock })
    const lamp = device('lamp')
    const every = (reportCycle: number) => ({ ...lamp, spec: { ...lamp.spec, stateReport: { reportCycle } } })
    await node.apply(model(), every(5000))
    const client = await (await node.connect()).subscribe(`${base}/#`)
    const version = () => node.outbox.all().at(0)?.version
    const say = async (state: string, later: number) => {
      now += later
      await client.publish(`${base}/state/update`, { state })
      return version()
    }
    const said = [await say('online', 0), await say('online', 4000), await say('online', 1000)]
    expect(said).toEqual([1, 1, 2])
    expect([await say('offline', 1), await say('offline', 60_000), await say('online', 1)]).toEqual([3, 3, 4])
    // An edit holds from then on.
    await node.apply(every(600_000))
    expect([await say('online', 300_000), await say('online', 300_000)]).toEqual([4, 5])
    // The others hear nothing of that: each is answered.
    expect((await client.message(`${base}/state/update/result`, 8)).device.state).toBe('online')
  })
})
