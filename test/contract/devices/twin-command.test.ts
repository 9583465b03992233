import { statSync } from 'node:fs'
import { method } from '@kedge/edgecore/cli/method'
import { twin } from '@kedge/edgecore/cli/twin'
import { controlPath } from '@kedge/edgecore/control/path'
import { openControl } from '@kedge/edgecore/control/server'
import { UserError } from '@kedge/shared/errors'
import { silentLog } from '@kedge/shared/log'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'

const lamp = '$hw/events/device/default/lamp'

async function start() {
  const dir = tempDir()
  const node = await DeviceNode.start({ dir })
  const control = await openControl({ path: controlPath(dir), devices: node.devices, log: silentLog })
  onTestFinished(() => control.stop())
  await node.apply(model(), device('lamp', { desired: { led: 'ON' } }), device('lamp', { namespace: 'dev' }))
  const run = async (line: string, more: { signal?: AbortSignal; write?: (text: string) => void } = {}) => {
    let out = ''
    const write = (text: string) => {
      out += text
    }
    const around = { env: { KEDGE_DATA: dir }, write, signal: new AbortController().signal, ...more }
    await twin(line.split(' '), around)
    return out
  }
  return { dir, node, run }
}

test('get shows both sides, or one reported value for a script', async () => {
  const { node, run } = await start()
  const client = await node.connect()
  await client.publish(`${lamp}/twin/update`, { twin: { temperature: { actual: { value: '21' } } } })
  expect((await run('get lamp')).split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['PROPERTY', 'DESIRED', 'REPORTED', 'IN-SYNC'],
    ['led', 'ON', '', 'False'].filter((cell) => cell !== ''),
    ['temperature', '21'],
    [''],
  ])
  expect(await run('get lamp temperature')).toBe('21\n')
  expect(JSON.parse(await run('get lamp -o json'))).toMatchObject({ led: { expected: { value: 'ON' } } })
  expect(await run('get dev/lamp')).toBe(await run('get lamp -n dev'))
})

test('set is a desired value like any other: the device gets its delta, without a cloud', async () => {
  const { node, run } = await start()
  const client = await (await node.connect()).subscribe(`${lamp}/twin/update/delta`)
  const before = client.seen.length
  expect(await run('set lamp led=OFF level=7')).toBe('led desired OFF\nlevel desired 7\n')
  await eventually(() => client.seen.length > before && client.seen.at(-1)?.body.delta.led === 'OFF')
  expect(client.seen.at(-1)?.body.delta).toEqual({ led: 'OFF', level: '7' })
  expect(node.report('lamp')?.twins?.led?.desired?.value).toBe('OFF')
})

test('watch writes a line for each change, of one device or of all, until it is ended', async () => {
  const { node, run } = await start()
  const stopping = new AbortController()
  const seen = { all: '', one: '' }
  const to = (which: 'all' | 'one') => ({
    signal: stopping.signal,
    write: (text: string) => {
      seen[which] += text
    },
  })
  const watching = [run('watch', to('all')), run('watch lamp', to('one'))]
  const client = await node.connect()
  // The first changes may come before the watchers are there.
  let value = 0
  await eventually(async () => {
    await client.publish(`${lamp}/twin/update`, { twin: { temperature: { actual: { value: `${++value}` } } } })
    await client.publish('$hw/events/device/dev/lamp/twin/update', {
      twin: { level: { expected: { value: `${value}` } } },
    })
    return /dev\/lamp level desired/.test(seen.all) && /default\/lamp temperature reported/.test(seen.one)
  })
  stopping.abort()
  await Promise.all(watching)
  expect(seen.one).not.toContain('dev/lamp')
  expect(seen.all).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z (default|dev)\/lamp \w+ (reported|desired) \d+\n/)
})

test.each([
  ['get fan', 'Device default/fan not found'],
  ['get lamp x', 'lamp has no property "x"; it has led'],
  ['get lamp led', 'led of lamp was never reported'],
  ['set lamp level=700', 'level: '],
  ['set lamp', 'PROPERTY=VALUE'],
  ['set lamp level', 'found "level"; give PROPERTY=VALUE'],
  ['set fan level=1', 'not existed'],
  ['watch fan', 'not found'],
  ['get a/b/c', 'give NAME or NAMESPACE/NAME'],
  ['put lamp', 'give get, set or watch'],
  ['get lamp -o xml', 'give text or json'],
  ['get lamp --colour', '--help lists all flags'],
])('%s: %s', async (line, reason) => {
  const { run } = await start()
  const failed = await run(line).catch((error: unknown) => error)
  expect(failed).toBeInstanceOf(UserError)
  expect((failed as Error).message).toContain(reason)
})

test('a method sets the properties that it names, and no other', async () => {
  const { dir, node } = await start()
  const lampWithMethods = device('lamp', { desired: { led: 'ON' } })
  Object.assign(lampWithMethods.spec ?? {}, {
    methods: [{ name: 'dim', description: 'sets the level', propertyNames: ['level'] }],
  })
  await node.apply(lampWithMethods)
  const run = (line: string) => method(line.split(' '), { KEDGE_DATA: dir })
  expect(await run('list lamp')).toMatch(/METHOD +PROPERTIES +DESCRIPTION\ndim +level +sets the level\n/)
  expect(await run('list dev/lamp')).toBe('dev/lamp has no methods.\n')
  expect(await run('call lamp dim level=7')).toBe('level desired 7\n')
  expect(node.report('lamp')?.twins?.level?.desired?.value).toBe('7')
  await expect(run('call lamp dim led=OFF')).rejects.toThrow('dim does not set "led"; it sets level')
  await expect(run('call lamp glow level=1')).rejects.toThrow('lamp has no method "glow"; it has dim')
  await expect(run('call lamp dim level=700')).rejects.toThrow('level: ')
  await expect(run('call lamp dim')).rejects.toThrow('give PROPERTY=VALUE')
  await expect(run('list fan')).rejects.toThrow('there is no device default/fan')
  await expect(run('call lamp')).rejects.toThrow('edgecore method call DEVICE METHOD')
})

test('only its user may open the socket, and without an edgecore the command says so', async () => {
  const { dir, run } = await start()
  expect(statSync(controlPath(dir)).mode & 0o777).toBe(0o600)
  await expect(run(`get lamp --data ${tempDir()}`)).rejects.toThrow('no edgecore answers at')
})
