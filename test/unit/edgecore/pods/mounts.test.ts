import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Mounts } from '@kedge/edgecore/pods/mounts'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

let dir: string
let mounts: Mounts

beforeEach(() => {
  dir = tempDir()
  mounts = new Mounts(dir)
})

function volume(files: Record<string, string>, mode = 0o644) {
  const entries = Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }] as const)
  return { contents: new Map([['conf', { is: 'files', files: new Map(entries), secret: false } as const]]) }
}

function folder(): string {
  return join(dir, 'pods', 'u1', 'volumes', 'conf')
}

function visible(): string[] {
  return readdirSync(folder()).filter((name) => !name.startsWith('..'))
}

test('files lie behind one link, with their modes', async () => {
  await mounts.write('u1', volume({ 'a.txt': 'one', 'sub/b.txt': 'two' }, 0o640))
  expect(readFileSync(join(folder(), 'a.txt'), 'utf8')).toBe('one')
  expect(readFileSync(join(folder(), 'sub', 'b.txt'), 'utf8')).toBe('two')
  expect(statSync(join(folder(), 'a.txt')).mode & 0o777).toBe(0o640)
  expect(readlinkSync(join(folder(), 'a.txt'))).toBe('..data/a.txt')
  expect(visible()).toEqual(['a.txt', 'sub'])
})

test('what is in a volume can be read by others, however careful this process is with what it makes', async () => {
  const before = process.umask(0o077)
  onTestFinished(() => void process.umask(before))
  await mounts.write('u1', volume({ 'a.txt': 'one', 'sub/deep/b.txt': 'two' }))
  const modes = ['.', '..data/.', 'a.txt', 'sub', 'sub/deep', 'sub/deep/b.txt'].map(
    (path) => statSync(join(folder(), path)).mode & 0o777,
  )
  expect(modes).toEqual([0o755, 0o755, 0o644, 0o755, 0o755, 0o644])
})

test('a new version replaces all of the old one by one rename, and leaves nothing of it', async () => {
  await mounts.write('u1', volume({ a: 'one', old: 'x', 'sub/b': 'y' }))
  const before = readlinkSync(join(folder(), '..data'))
  await mounts.write('u1', volume({ a: 'two', fresh: 'z' }))
  expect(readlinkSync(join(folder(), '..data'))).not.toBe(before)
  expect(readFileSync(join(folder(), 'a'), 'utf8')).toBe('two')
  expect(visible()).toEqual(['a', 'fresh'])
  expect(readdirSync(folder()).filter((name) => name.startsWith('..'))).toHaveLength(2)
})

test('an equal version touches nothing', async () => {
  await mounts.write('u1', volume({ a: 'one' }))
  const before = readlinkSync(join(folder(), '..data'))
  await mounts.write('u1', volume({ a: 'one' }))
  expect(readlinkSync(join(folder(), '..data'))).toBe(before)
})

test.each([
  ['another content', volume({ a: 'two' })],
  ['another mode', volume({ a: 'one' }, 0o600)],
  ['one file more', volume({ a: 'one', b: '' })],
  ['no file', volume({})],
])('knows that it does not hold %s', async (_name, other) => {
  await mounts.write('u1', volume({ a: 'one' }))
  expect(await mounts.holds('u1', volume({ a: 'one' }))).toBe(true)
  expect(await mounts.holds('u1', other)).toBe(false)
})

test('heals what a crash left half done', async () => {
  await mounts.write('u1', volume({ a: 'one' }))
  unlinkSync(join(folder(), 'a'))
  expect(await mounts.holds('u1', volume({ a: 'one' }))).toBe(false)
  await mounts.write('u1', volume({ a: 'one' }))
  expect(lstatSync(join(folder(), 'a')).isSymbolicLink()).toBe(true)
  expect(await mounts.holds('u1', volume({ a: 'one' }))).toBe(true)
})

test('an empty volume is a folder', async () => {
  await mounts.write('u1', volume({}))
  expect(visible()).toEqual([])
  expect(await mounts.holds('u1', volume({}))).toBe(true)
})

test('removes the files of a pod, also twice, and knows who has some', async () => {
  await mounts.write('u1', volume({ a: 'one' }))
  expect(await mounts.uids()).toEqual(['u1'])
  await mounts.remove('u1')
  await mounts.remove('u1')
  expect(existsSync(join(dir, 'pods', 'u1'))).toBe(false)
  expect(await mounts.uids()).toEqual([])
})

test.each(['..', '../x', 'a/b', ''])('a uid such as "%s" is no folder', async (uid) => {
  await expect(mounts.write(uid, volume({ a: 'one' }))).rejects.toThrow('is not a uid')
  await expect(mounts.remove(uid)).rejects.toThrow('is not a uid')
})
