import { describe, expect, test } from 'vitest'
import { arrows, cycles, forbidden, target } from '../../../scripts/shape/graph.ts'
import { functionsOf, type Import, importsOf } from '../../../scripts/shape/source.ts'

test('finds the imports of a module', () => {
  const source = `import 'reflect-metadata'
import type { A } from './a.ts'
import {
  type B,
  c,
} from "../b.ts"
import * as z from 'zod'
// import no from './no.ts'
/** import { no } from './no.ts' */
export { d } from './d.ts'
export const e = 'from nowhere'
export const from = 'x'
const lazy = () => import('yaml')
`
  expect(importsOf(source)).toEqual([
    { from: 'reflect-metadata', typesOnly: false },
    { from: './a.ts', typesOnly: true },
    { from: '../b.ts', typesOnly: false },
    { from: 'zod', typesOnly: false },
    { from: './d.ts', typesOnly: false },
    { from: 'yaml', typesOnly: false },
  ])
})

test('measures functions and methods', () => {
  const source = `export function one(): void {
  if (a) {
    b()
  }
}

export async function two(
  a: string,
): Promise<void> {
  await a
}

const three = (a: string): number => {
  return 3
}

class C {
  #four(a: () => void): void {
    a()
  }

  async *five() {
    for (const a of b) {
    }
  }
}
`
  expect(functionsOf(source)).toEqual([
    { name: 'one', lines: 5 },
    { name: 'two', lines: 5 },
    { name: 'three', lines: 3 },
    { name: '#four', lines: 3 },
    { name: 'five', lines: 4 },
  ])
})

test.each([
  ['edgecore/a/b.ts', './c.ts', 'edgecore/a/c.ts'],
  ['edgecore/a/b.ts', '../c.ts', 'edgecore/c.ts'],
  ['edgecore/a/b.ts', '@kedge/shared/log', 'shared/log.ts'],
  ['edgecore/a/b.ts', 'zod/mini', 'zod'],
  ['edgecore/a/b.ts', '@kubernetes/client-node/dist/x.js', '@kubernetes/client-node'],
])('in %s, %s means %s', (file, from, expected) => {
  expect(target(file, from)).toBe(expected)
})

describe('the graph', () => {
  const graph = (edges: Record<string, string[]>) =>
    new Map<string, Import[]>(
      Object.entries(edges).map(([file, made]) => [
        file,
        made.map((text) => ({ from: text.replace('type ', ''), typesOnly: text.startsWith('type ') })),
      ]),
    )

  test('counts arrows between folders', () => {
    const imports = graph({
      'cloudcore/sync/a.ts': ['./b.ts', '@kedge/shared/log', 'zod'],
      'cloudcore/sync/b.ts': ['type @kedge/shared/log'],
      'shared/log.ts': [],
    })
    expect(arrows(imports)).toEqual([{ from: 'cloudcore/sync', to: 'shared', count: 2 }])
  })

  test('finds circles, those of types aside', () => {
    const imports = graph({
      'a/x.ts': ['./y.ts'],
      'a/y.ts': ['./z.ts', './w.ts'],
      'a/z.ts': ['./x.ts'],
      'a/w.ts': ['type ./y.ts'],
    })
    expect(cycles(imports)).toEqual([['a/x.ts', 'a/y.ts', 'a/z.ts']])
  })

  test('finds what the design rules out', () => {
    const imports = graph({
      'edgecore/a.ts': ['@kubernetes/client-node', '@kedge/shared/log', 'type @kedge/cloudcore/b'],
      'cloudcore/b.ts': ['@kubernetes/client-node', '@kedge/shared/log'],
      'shared/log.ts': ['type ../cloudcore/b.ts'],
    })
    expect(forbidden(imports)).toEqual([
      'edgecore/a.ts → @kubernetes/client-node',
      'edgecore/a.ts → cloudcore/b.ts',
      'shared/log.ts → cloudcore/b.ts',
    ])
  })
})
