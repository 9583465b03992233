import { execFileSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '@kedge/shared/must'
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

test('edgecore, while it has no use for them, loads no gRPC, no Modbus, no YAML and no metrics', () => {
  const { inputs, outputs } = metaOf('edgecore')
  const program = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === 'edgecore/edgecore.ts')?.[0]
  const loaded = new Set<string>()
  const load = (path: string) => {
    if (loaded.has(path)) return
    loaded.add(path)
    for (const each of outputs[path]?.imports ?? []) if (each.kind === 'import-statement') load(each.path)
  }
  load(must(program, 'the file of edgecore.ts'))
  const from = (name: string) => (path: string) => path.includes(`node_modules/${name}/`)
  const packages = ['@grpc/grpc-js', 'modbus-serial', 'yaml', 'prom-client', 'mqtt']
  const eager = [...loaded].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {}))
  expect(packages.filter((name) => !Object.keys(inputs).some(from(name)))).toEqual([])
  expect(packages.filter((name) => eager.some(from(name)))).toEqual([])
})

test('what edgecore loads later is a module of ours: a library in CommonJS would come without its names', () => {
  const later = Object.entries(metaOf('edgecore').inputs).flatMap(([from, { imports }]) =>
    imports.filter(({ kind, external }) => kind === 'dynamic-import' && !external).map(({ path }) => ({ from, path })),
  )
  expect(later.length).toBeGreaterThan(10)
  expect(later.filter(({ path }) => path.includes('node_modules/'))).toEqual([])
})

function inputs(name: (typeof programs)[number]): string[] {
  return Object.keys(metaOf(name).inputs)
}
