import { execFileSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { build, bundlePath, metaOf, programs, root } from '../../../scripts/build.ts'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

describe.each(programs)('the bundle of %s', (name) => {
  beforeAll(async () => void (await build([name])))

  test('runs by itself and knows its version', () => {
    accessSync(bundlePath(name), constants.X_OK)
    expect(execFileSync(bundlePath(name), ['--version'], { encoding: 'utf8' })).toBe(`${version}\n`)
  })

  test('is not built again while nothing changed', async () => {
    expect(await build([name])).toEqual([{ name, bytes: expect.any(Number) }])
  })

  test('holds one copy of the MQTT packets: a setting of theirs holds for broker and client', () => {
    const copies = inputs(name).filter((path) => path.endsWith('/mqtt-packet/mqtt.js'))
    expect(copies).toEqual(['node_modules/mqtt-packet/mqtt.js'])
  })

  test('holds nothing of the other program', () => {
    const other = name === 'edgecore' ? 'cloudcore/' : 'edgecore/'
    expect(inputs(name).filter((path) => path.startsWith(other))).toEqual([])
  })
})

test('the bundle of edgecore is free of the Kubernetes client', () => {
  const heavy = ['@kubernetes/client-node', 'undici', '@peculiar/x509']
  expect(inputs('edgecore').filter((path) => heavy.some((name) => path.includes(`node_modules/${name}/`)))).toEqual([])
})

function inputs(name: (typeof programs)[number]): string[] {
  return Object.keys(metaOf(name).inputs)
}
