import type { Driver, DriverHost, RunningDevice } from '@kedge/edgecore/devices/drivers/driver'
import { expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'

const odd = { protocolName: 'odd' }
const quick = { start: 100, desired: 100, stop: 100, again: 20 }

interface Started {
  name: string
  host: DriverHost
}

/** A driver whose behaviour the test gives, and what it was asked to do. */
function odds(behave: (started: Started, times: number) => Partial<RunningDevice> | Promise<RunningDevice>) {
  const started: Started[] = []
  const driver: Driver = {
    protocols: ['odd'],
    start: ({ name }, host) => {
      started.push({ name, host })
      const times = started.filter((each) => each.name === name).length
      const running = behave({ name, host }, times)
      return running instanceof Promise
        ? running
        : { desired: () => undefined, stop: async () => undefined, ...running }
    },
  }
  const timesOf = (name: string) => started.filter((each) => each.name === name).length
  return { driver, started, timesOf }
}

function startNode({ driver }: { driver: Driver }) {
  return DeviceNode.start({ drivers: [driver], patience: quick, random: () => 0 })
}

const level = (node: DeviceNode, name: string) => node.report(name)?.twins?.level?.reported?.value

test('a driver that does not start is started again, later and later, until it does', async () => {
  const driver = odds(({ name, host }, times) => {
    if (name === 'good') return {}
    if (times === 1) throw new Error('first')
    if (times === 2) return Promise.reject(new Error('second'))
    if (times === 3) return new Promise(() => undefined)
    host.state('online').catch(() => undefined)
    return {}
  })
  const node = await startNode(driver)
  await node.apply(model(), device('bad', { protocol: odd }), device('good', { protocol: odd }))
  await eventually(() => node.report('bad')?.state === 'online')
  expect(driver.timesOf('bad')).toBe(4)
  expect(driver.timesOf('good')).toBe(1)
  expect(node.devices.drivers.failures).toEqual(new Map([['default/bad', 3]]))
  expect(node.events('DriverFailed')[0]?.message).toBe('first')
})

test('a write that never ends has the driver started again, with the newest desired value', async () => {
  const seen: string[] = []
  const driver: Driver = {
    protocols: ['odd'],
    start: ({ name, desired }) => {
      seen.push(`start ${name} ${desired.get('level') ?? '-'}`)
      const desire = async (changes: Readonly<Record<string, string>>) => {
        seen.push(`desired ${name} ${changes.level}`)
        if (name === 'bad' && changes.level === '1') await new Promise(() => undefined)
      }
      return { desired: desire, stop: async () => undefined }
    },
  }
  const node = await startNode({ driver })
  const at = (name: string, value: string) => device(name, { protocol: odd, desired: { level: value } })
  await node.apply(model(), device('bad', { protocol: odd }), device('good', { protocol: odd }))
  await node.apply(at('bad', '1'))
  await node.apply(at('bad', '2'), at('good', '3'))
  await eventually(() => seen.includes('start bad 2'))
  expect(seen).toEqual(['start bad -', 'start good -', 'desired bad 1', 'desired good 3', 'start bad 2'])
  expect(node.report('bad')?.state).toBe('unhealthy')
  expect(node.events('DriverFailed')[0]?.message).toBe('the driver does not finish a write within 0.1 s')
  await node.apply(at('bad', '4'))
  await eventually(() => seen.at(-1) === 'desired bad 4')
})

test('writes are handed over one after the other, and what comes meanwhile together', async () => {
  const seen: Record<string, string | undefined>[] = []
  const open: (() => void)[] = []
  const driver = odds(() => ({
    desired: (changes) => {
      seen.push({ ...changes })
      return new Promise<void>((resolve) => open.push(resolve))
    },
  }))
  const node = await DeviceNode.start({ drivers: [driver.driver] })
  await node.apply(model(), device('lamp', { protocol: odd }))
  const edits: Record<string, string>[] = [{ level: '1' }, { level: '2' }, { level: '3', led: 'ON' }]
  for (const desired of edits) {
    await node.apply(device('lamp', { protocol: odd, desired }))
  }
  expect(seen).toEqual([{ level: '1' }])
  open[0]?.()
  await eventually(() => seen.length === 2)
  expect(seen[1]).toEqual({ level: '3', led: 'ON' })
  open[1]?.()
})

test('a stop that hangs is not waited for; what the old one still says has no effect', async () => {
  const driver = odds(({ name }) => (name === 'bad' ? { stop: () => new Promise(() => undefined) } : {}))
  const node = await startNode(driver)
  await node.apply(model(), device('bad', { protocol: odd }))
  await node.apply(device('bad', { protocol: { ...odd, configData: { changed: true } } }))
  await eventually(() => driver.timesOf('bad') === 2)
  const [old, fresh] = driver.started
  await old?.host.report({ level: '1' })
  await fresh?.host.report({ level: '2' })
  await old?.host.report({ level: '3' })
  await old?.host.state('unhealthy')
  old?.host.failed('after the end')
  await eventually(() => level(node, 'bad') === '2')
  expect(node.report('bad')?.state).not.toBe('unhealthy')
  expect(node.events('DriverFailed').map(({ message }) => message)).toEqual(['the driver does not stop within 0.1 s'])
})

test('what is thrown in a callback stays with its device', async () => {
  const driver = odds(({ name, host }) => {
    host.topics.subscribe(`${name}/in`, ({ payload }) => {
      if (payload.toString() === 'boom') throw new Error('in the callback')
      host.report({ level: payload.toString() }).catch(() => undefined)
    })
    setTimeout(host.guard(() => Promise.reject(new Error('in the timer'))))
    return {}
  })
  const node = await startNode(driver)
  await node.apply(model(), device('lamp', { protocol: odd }))
  const client = await node.connect()
  await client.publish('lamp/in', 'boom')
  await client.publish('lamp/in', '7')
  await eventually(() => level(node, 'lamp') === '7')
  await eventually(() => node.devices.drivers.failures.get('default/lamp') === 2)
  // A driver that forgets to end its subscriptions has none after its end.
  await node.drop('devices/default/lamp')
  await client.publish('lamp/in', '8')
  expect(node.devices.drivers.failures.size).toBe(0)
})

test('a driver cannot speak on the topics of edgecore', async () => {
  const driver = odds(() => ({}))
  const node = await startNode(driver)
  await node.apply(model(), device('lamp', { protocol: odd }))
  const topics = driver.started[0]?.host.topics
  const forged = topics?.publish({ topic: '$hw/events/device/default/other/twin/update', payload: '{}' })
  await expect(forged).rejects.toThrow('belong to edgecore')
  await expect(topics?.publish({ topic: 'a/+', payload: '' })).rejects.toThrow('no + and no #')
})

test('a device that floods is merged: its last value arrives, others are not held up, and it is told', async () => {
  const driver = odds(() => ({}))
  const node = await startNode(driver)
  await node.apply(model(), device('wild', { protocol: odd }), device('calm', { protocol: odd }))
  const [wild, calm] = driver.started.map(({ host }) => host)
  let going = true
  let count = 0
  const flood = () => {
    if (!going) return
    for (let each = 0; each < 200; each++) wild?.report({ level: String(count++ % 100) }).catch(() => undefined)
    setImmediate(flood)
  }
  flood()
  await eventually(() => node.devices.drivers.failures.get('default/wild'))
  for (const value of ['11', '12', '13']) {
    await calm?.report({ level: value })
    expect(level(node, 'calm')).toBe(value)
  }
  going = false
  await wild?.report({ level: '42' })
  await eventually(() => level(node, 'wild') === '42')
  expect(node.events('DriverFailed')[0]?.message).toContain('reports too fast')
  expect(node.devices.drivers.failures.get('default/calm')).toBeUndefined()
})

test('a report cycle holds values back, and the last one arrives', async () => {
  const driver = odds(() => ({}))
  const node = await startNode(driver)
  const properties = [{ name: 'level', reportCycle: 300 }, { name: 'led' }]
  await node.apply(model(), device('slow', { protocol: odd, properties }))
  const host = driver.started[0]?.host
  await host?.report({ level: '1', led: 'A' })
  const held = [host?.report({ level: '2', led: 'B' }), host?.report({ level: '3' })]
  await eventually(() => node.report('slow')?.twins?.led?.reported?.value === 'B')
  expect(level(node, 'slow')).toBe('1')
  await Promise.all(held)
  expect(level(node, 'slow')).toBe('3')
})

test('a state that stays is reported in the cycle of the device', async () => {
  const driver = odds(() => ({}))
  const node = await startNode(driver)
  const lamp = (name: string, stateReport: object) => {
    const made = device(name, { protocol: odd })
    return { ...made, spec: { ...made.spec, stateReport } }
  }
  await node.apply(model(), lamp('often', { reportCycle: 10 }), lamp('rare', { reportCycle: 600_000 }))
  const version = (name: string) =>
    node.outbox.all().find(({ report }) => report.is === 'device' && report.name === name)?.version ?? 0
  await eventually(async () => {
    for (const { host } of driver.started) await host.state('online')
    return version('often') > 2
  })
  expect(version('rare')).toBe(1)
})

test('one value that the model refuses does not take the others with it', async () => {
  const driver = odds(() => ({}))
  const node = await startNode(driver)
  await node.apply(model(), device('lamp', { protocol: odd }))
  const report = driver.started[0]?.host.report({ level: '1000', led: 'ON', temperature: 'warm' })
  await expect(report).rejects.toThrow('level: the value 1000 is above the maximum 100; temperature: ')
  expect(node.report('lamp')?.twins?.led?.reported?.value).toBe('ON')
})
