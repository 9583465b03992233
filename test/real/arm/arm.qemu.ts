import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { systemClock } from '@kedge/shared/clock'
import { beforeAll, expect, test } from 'vitest'
import { version } from '../../../scripts/build.ts'
import { makeArchive } from '../../../scripts/package/archive.ts'
import { conditionOf, statusTwins } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
import { JoinableCloud } from '../../support/joined.ts'
import { room, roomModel } from '../../support/manifests.ts'
import { arm64Files } from '../../support/shipping/arm64-files.ts'
import { run } from '../../support/shipping/run.ts'
import { whenFileIsOver } from '../../support/shipping/when-over.ts'
import { tempDir } from '../../support/temp-dir.ts'

// The archive for arm64 boards, under emulation: its Node.js, its native addon, and edgecore on both.
let dir: string
let cloud: JoinableCloud
let edge: ChildProcess | undefined

const patience = { within: 600_000, every: 250 }
const data = () => join(dir, 'data')
const qemu = (...args: string[]) => {
  const home = join(dir, `kedge-${version()}`)
  return ['-L', arm64Files.system, join(home, 'bin/node'), join(home, 'lib/edgecore.js'), ...args]
}

const whenOver = whenFileIsOver()

beforeAll(async () => {
  dir = tempDir(whenOver)
  cloud = await JoinableCloud.start(systemClock, whenOver)
  whenOver(() => void edge?.kill('SIGKILL'))
  const archive = await makeArchive({ arch: 'arm64', node: arm64Files.node, modules: arm64Files.modules, to: dir })
  await run('tar', ['-xzf', archive, '-C', dir])
})

function start(): ChildProcess {
  const args = ['--data', data(), '--runtime', 'simulated', '--mqtt-port', '0', '--log-level', 'warn']
  edge = spawn('qemu-aarch64-static', qemu(...args), { stdio: ['ignore', 'inherit', 'inherit'] })
  return edge
}

async function desired(value: string): Promise<boolean> {
  return statusTwins(await cloud.api.get('devices/default/kitchen')).target?.desired === value
}

test('joins, says what it is, and holds what the cloud wants', async () => {
  const [url = '', ...flags] = await cloud.token()
  const args = ['join', url, ...flags, '--node-name', 'board', '--data', data()]
  expect(await run('qemu-aarch64-static', qemu(...args))).toContain('this board is the node board')
  start()
  const node = await eventually(async () => {
    const found = await cloud.api.find('nodes/board')
    return conditionOf(found ?? {}, 'Ready')?.status === 'True' ? found : undefined
  }, patience)
  expect(node.status.nodeInfo).toMatchObject({ architecture: 'arm64', operatingSystem: 'linux' })
  await cloud.api.create(roomModel(), room('kitchen', 'board', { desired: { target: '20' } }))
  await eventually(
    async () => conditionOf(await cloud.api.get('devices/default/kitchen'), 'Synced')?.status === 'True',
    patience,
  )
})

test('loses its power, and goes on with what it had', async () => {
  const ended = edge === undefined ? undefined : once(edge, 'close')
  edge?.kill('SIGKILL')
  await ended
  await cloud.api.desire('devices/default/kitchen', { target: '22' })
  expect(await run('qemu-aarch64-static', qemu('get', 'devices', '--data', data()))).toContain('kitchen')
  const child = start()
  await eventually(
    async () =>
      (await desired('22')) ||
      (await run('qemu-aarch64-static', qemu('get', 'twins', 'kitchen', '--data', data()))).includes(' 22 '),
    { ...patience, every: 2000 },
  )
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  expect((await closed)[0]).toBe(0)
})
