import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../../../edgecore')

/** What each file of edgecore imports at once when it is loaded: neither types nor `import(…)`. */
function imports(): Map<string, string[]> {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const statement = /^(?:import|export) (?!type )(?:[^'"]*? from )?['"]([^'"]+)['"]/gm
  return new Map(
    files.map((file) => [
      file,
      [...readFileSync(join(root, file), 'utf8').matchAll(statement)].map(([, from]) => from ?? ''),
    ]),
  )
}

test('the gRPC library, which takes much memory, is loaded with the first mapper and not before', () => {
  const all = imports()
  const heavy = new Set(
    [...all].filter(([, from]) => from.some((name) => name.startsWith('@grpc/'))).map(([file]) => file),
  )
  expect([...heavy].sort()).toEqual(['devices/dmi/client.ts', 'devices/dmi/schema.ts', 'devices/dmi/server.ts'])
  const loads = (file: string, name: string) => heavy.has(join(file, '..', name))
  const early = [...all].filter(([file, from]) => !heavy.has(file) && from.some((name) => loads(file, name)))
  expect(early).toEqual([])
})
