import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { prepareHostPath } from '@kedge/edgecore/pods/host-paths'
import { endOf, lastLines } from '@kedge/edgecore/pods/last-lines'
import { PodSpec } from '@kedge/edgecore/pods/pod-schema'
import { openInside, resolveSubPath } from '@kedge/edgecore/pods/sub-paths'
import { volumesOf } from '@kedge/edgecore/pods/volumes'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { pod } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let dir: string
beforeEach(() => {
  dir = realpathSync(tempDir())
})

describe('a path of the node', () => {
  type Type = Parameters<typeof prepareHostPath>[0]['type']

  beforeEach(async () => {
    mkdirSync(join(dir, 'folder'))
    writeFileSync(join(dir, 'file'), '')
    const server = createServer().listen(join(dir, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => void server.close())
  })

  test.each<[Type, string]>([
    ['', 'nothing'],
    ['Directory', 'folder'],
    ['DirectoryOrCreate', 'folder'],
    ['DirectoryOrCreate', 'new/folder'],
    ['File', 'file'],
    ['FileOrCreate', 'file'],
    ['FileOrCreate', 'new-file'],
    ['Socket', 'socket'],
    ['CharDevice', '/dev/null'],
  ])('of the type "%s" may be %s', async (type, name) => {
    const path = name.startsWith('/') ? name : join(dir, name)
    await prepareHostPath({ path, type })
    expect(existsSync(path)).toBe(name !== 'nothing')
  })

  test.each<[Type, string, string]>([
    ['Directory', 'nothing', 'is not a directory, there is nothing there'],
    ['Directory', 'file', 'is not a directory'],
    ['DirectoryOrCreate', 'file', 'is not a directory'],
    ['File', 'folder', 'is not a file'],
    ['File', 'nothing', 'there is nothing there'],
    ['FileOrCreate', 'folder', 'is not a file'],
    ['Socket', 'file', 'is not a socket file'],
    ['CharDevice', 'file', 'is not a character device'],
    ['BlockDevice', 'nothing', 'is not a block device'],
  ])('of the type %s may not be %s', async (type, name, message) => {
    await expect(prepareHostPath({ path: join(dir, name), type })).rejects.toThrow(message)
  })
})

describe('a path within a volume', () => {
  let volume: string
  beforeEach(() => {
    volume = join(dir, 'volume')
    mkdirSync(join(volume, 'a'), { recursive: true })
    writeFileSync(join(volume, 'a', 'file'), 'x')
    mkdirSync(join(dir, 'secret'))
    symlinkSync('../secret', join(volume, 'out'))
    symlinkSync('a', join(volume, 'within'))
    symlinkSync('/', join(volume, 'root'))
  })

  test.each([
    ['a', 'a'],
    ['a/file', 'a/file'],
    ['within/file', 'a/file'],
    ['a/../a', 'a'],
    ['new/deep', 'new/deep'],
    ['within/new', 'a/new'],
  ])('%s is %s', async (subPath, expected) => {
    expect(await resolveSubPath(volume, subPath)).toBe(join(volume, expected))
    expect(existsSync(join(volume, expected))).toBe(true)
  })

  test.each(['out', 'out/x', 'root/etc', '..', '../secret', 'within/../../secret'])('%s leads out', async (subPath) => {
    await expect(resolveSubPath(volume, subPath)).rejects.toThrow('leads out of the volume')
    expect(existsSync(join(dir, 'secret', 'x'))).toBe(false)
  })

  test('is not made in a volume that others fill', async () => {
    await expect(resolveSubPath(volume, 'none', { make: false })).rejects.toThrow('there is no "none" in the volume')
    expect(existsSync(join(volume, 'none'))).toBe(false)
  })

  test('is made with the rights of the volume, folder by folder', async () => {
    chmodSync(volume, 0o2777)
    await resolveSubPath(volume, 'new/deep')
    expect(['new', 'new/deep'].map((path) => statSync(join(volume, path)).mode & 0o7777)).toEqual([0o2777, 0o2777])
  })

  test('is made nowhere else when a folder on the way becomes a link meanwhile', async () => {
    const rights = statSync(join(dir, 'secret')).mode
    for (let round = 0; round < 30; round += 1) {
      const making = resolveSubPath(volume, `way/${round}/x`).catch(() => 'refused')
      // Some rounds of the loop of events later, so that each moment has its turn.
      for (let step = 0; step < round; step += 1) await new Promise(setImmediate)
      rmSync(join(volume, 'way'), { recursive: true, force: true })
      try {
        symlinkSync('../secret', join(volume, 'way'))
      } catch {
        // The folder was made at this very moment.
      }
      await making
      rmSync(join(volume, 'way'), { recursive: true, force: true })
    }
    expect(readdirSync(join(dir, 'secret'))).toEqual([])
    expect(statSync(join(dir, 'secret')).mode).toBe(rights)
  })

  test('is opened without following what was put in its way', async () => {
    const handle = await openInside(volume, join(volume, 'a', 'file'))
    expect((await handle.stat()).ino).toBe(statSync(join(volume, 'a', 'file')).ino)
    await handle.close()
    await expect(openInside(volume, join(volume, 'within', 'file'))).rejects.toThrow()
    await expect(openInside(volume, join(volume, 'within'))).rejects.toThrow('changed while it was looked at')
  })
})

describe('what a volume is made of', () => {
  function volume(source: Record<string, unknown>, more: Record<string, unknown> = {}, limits = {}) {
    const containers = [{ name: 'web', image: 'i', resources: { limits } }]
    const content = pod('web', { spec: { containers, volumes: [{ name: 'v', ...source }], ...more } })
    const capacity = { cpuMillis: 1, memoryBytes: 1, diskBytes: 1 }
    return volumesOf({ pod: content, spec: PodSpec.parse(content.spec), lookup: () => undefined, capacity })
  }

  test.each<[string, Record<string, unknown>, Record<string, string>, unknown]>([
    ['a folder on disk', { emptyDir: { sizeLimit: '1Mi' } }, {}, { is: 'empty', memory: false }],
    ['memory', { emptyDir: { medium: 'Memory' } }, {}, { is: 'empty', memory: true }],
    [
      'memory with a bound',
      { emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      {},
      { is: 'empty', memory: true, bytes: 2 ** 20 },
    ],
    [
      'memory bound by the containers',
      { emptyDir: { medium: 'Memory', sizeLimit: '9Mi' } },
      { memory: '2Mi' },
      { is: 'empty', memory: true, bytes: 2 ** 21 },
    ],
    ['a path', { hostPath: { path: '/dev', type: 'Directory' } }, {}, { is: 'host', path: '/dev', type: 'Directory' }],
  ])('%s', (_name, source, limits, expected) => {
    expect(volume(source, {}, limits).contents.get('v')).toEqual(expected)
  })

  test('a projection with a Secret in it is not for the disk, and the group can read it', () => {
    const sources = [
      { secret: { name: 'none', optional: true } },
      { downwardAPI: { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] } },
    ]
    const found = volume({ projected: { defaultMode: 0o400, sources } }, { securityContext: { fsGroup: 7 } })
    expect(found.group).toBe(7)
    expect(found.contents.get('v')).toMatchObject({ is: 'files', secret: true })
    const content = found.contents.get('v')
    expect(content?.is === 'files' && content.files.get('n')?.mode).toBe(0o440)
  })
})

describe('the end of a log', () => {
  const line = (text: string, tag = 'F') => `2026-01-01T00:00:00.000000000Z stdout ${tag} ${text}\n`

  test('is told without times, and pieces of one line in one', () => {
    expect(endOf(line('one') + line('tw', 'P') + line('o'), false)).toBe('one\ntwo\n')
    expect(endOf(`cut off ${line('x')}${line('two')}`, true)).toBe('two\n')
    expect(endOf('', false)).toBeUndefined()
  })

  test('is at most 80 lines and 2048 bytes, of a file of any length', async () => {
    const path = join(dir, 'log')
    writeFileSync(path, Array.from({ length: 5000 }, (_, index) => line(`line ${index}`)).join(''))
    const lines = (await lastLines(path))?.trimEnd().split('\n') ?? []
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([80, 'line 4920', 'line 4999'])
    writeFileSync(path, line('x'.repeat(5000)))
    expect((await lastLines(path))?.length).toBe(2048)
    expect(await lastLines(join(dir, 'none'))).toBeUndefined()
    expect(readFileSync(path, 'utf8')).toContain('xxx')
  })
})
