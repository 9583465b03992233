import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mountPoints, unmount } from '@kedge/edgecore/pods/mount-table'
import { Mounts } from '@kedge/edgecore/pods/mounts'
import type { PodVolumes } from '@kedge/edgecore/pods/volumes'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

/** Whether file systems can be mounted here: for root with the rights that go with it. */
const mayMount =
  spawnSync('sh', ['-c', 'd=$(mktemp -d); mount -t tmpfs tmpfs $d && umount $d; r=$?; rmdir $d; exit $r']).status === 0

const secret: PodVolumes['contents'] = new Map([
  ['key', { is: 'files', files: new Map([['password', { data: Buffer.from('hunter2'), mode: 0o400 }]]), secret: true }],
  ['scratch', { is: 'empty', memory: true, bytes: 65_536 }],
  ['disk', { is: 'empty', memory: false }],
])

describe.skipIf(!mayMount)('volumes in memory', () => {
  let dir: string
  let mounts: Mounts

  beforeEach(() => {
    dir = realpathSync(tempDir())
    mounts = new Mounts(dir, { real: true })
    onTestFinished(() => mounts.remove('u1'))
  })

  const at = (...names: string[]) => join(dir, 'pods', 'u1', 'volumes', ...names)
  const below = async () => (await mountPoints()).filter((point) => point.startsWith(dir))

  test('Secrets and empty folders in memory are mounted, once, and folders on disk are not', async () => {
    expect(await mounts.holds('u1', { contents: secret })).toBe(false)
    await mounts.write('u1', { contents: secret })
    await mounts.write('u1', { contents: secret })
    expect(await below()).toEqual([at('key'), at('scratch')])
    expect(readFileSync(at('key', 'password'), 'utf8')).toBe('hunter2')
    expect(() => writeFileSync(at('scratch', 'much'), Buffer.alloc(100_000))).toThrow('ENOSPC')
    expect(statSync(at('disk')).mode & 0o777).toBe(0o777)
    expect(await mounts.holds('u1', { contents: secret })).toBe(true)
  })

  test('what a reboot took is made anew, and what is on disk stays', async () => {
    await mounts.write('u1', { contents: secret })
    writeFileSync(at('disk', 'kept'), '')
    for (const point of await below()) await unmount(point)
    expect(existsSync(at('key', 'password'))).toBe(false)
    const after = new Mounts(dir, { real: true })
    expect(await after.holds('u1', { contents: secret })).toBe(false)
    await after.write('u1', { contents: secret })
    expect(readFileSync(at('key', 'password'), 'utf8')).toBe('hunter2')
    expect(existsSync(at('disk', 'kept'))).toBe(true)
  })

  test('a pod that has ended takes no memory, and what it left on disk stays', async () => {
    await mounts.write('u1', { contents: secret })
    writeFileSync(at('disk', 'kept'), '')
    await mounts.release('u1')
    await mounts.release('u1')
    expect(await below()).toEqual([])
    expect([existsSync(at('key', 'password')), existsSync(at('disk', 'kept'))]).toEqual([false, true])
  })

  test('a pod goes with all that is mounted for it, and nothing of the node goes with it', async () => {
    const host = join(dir, 'host')
    mkdirSync(host)
    writeFileSync(join(host, 'precious'), '')
    await mounts.write('u1', { contents: secret })
    mkdirSync(join(dir, 'pods', 'u1', 'part'))
    expect(spawnSync('mount', ['--bind', host, join(dir, 'pods', 'u1', 'part')]).status).toBe(0)
    await mounts.remove('u1')
    expect(await below()).toEqual([])
    expect(existsSync(join(dir, 'pods', 'u1'))).toBe(false)
    expect(existsSync(join(host, 'precious'))).toBe(true)
  })
})

test('a path of the node is looked at once, and its trouble names the volume', async () => {
  const dir = tempDir()
  const mounts = new Mounts(dir, { real: true })
  const path = join(dir, 'device')
  const contents: PodVolumes['contents'] = new Map([['usb', { is: 'host', path, type: 'Directory' }]])
  const error = await mounts.write('u1', { contents }).catch((cause: Error) => cause)
  expect(error).toMatchObject({ message: 'MountVolume.SetUp failed for volume "usb" ' })
  mkdirSync(path)
  await mounts.write('u1', { contents })
  expect(await mounts.holds('u1', { contents })).toBe(true)
})
