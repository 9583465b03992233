import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { socketPaths } from '@kedge/edgecore/devices/dmi/socket'
import { expect, test } from 'vitest'
import { tempDir } from '../../../../support/temp-dir.ts'

test("KubeEdge's folder comes first where there is one", () => {
  const dir = tempDir()
  const [data, folder] = [join(dir, 'data'), join(dir, 'kubeedge')]
  expect(socketPaths('auto', { data, folder })).toEqual([join(data, 'dmi.sock')])
  mkdirSync(folder)
  expect(socketPaths('auto', { data, folder })).toEqual([join(folder, 'dmi.sock'), join(data, 'dmi.sock')])
})

test.skipIf(process.getuid?.() === 0)('a folder that may not be written to is passed over', () => {
  const dir = tempDir()
  chmodSync(dir, 0o500)
  expect(socketPaths('auto', { data: '/data', folder: dir })).toEqual(['/data/dmi.sock'])
  chmodSync(dir, 0o700)
})

test('a path is taken as it is, a folder means a socket in it', () => {
  const dir = tempDir()
  expect(socketPaths(join(dir, 'a.sock'), { data: '/data' })).toEqual([join(dir, 'a.sock')])
  expect(socketPaths(dir, { data: '/data' })).toEqual([join(dir, 'dmi.sock')])
})
