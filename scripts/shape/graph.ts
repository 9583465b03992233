import { posix } from 'node:path'
import type { Import } from './source.ts'

/** Per file of the repository, the imports it makes. */
export type Imports = ReadonlyMap<string, readonly Import[]>

/** The file that an import means, or the package's name: `shared/log.ts`, `zod`, `node:fs`. */
export function target(file: string, from: string): string {
  if (from.startsWith('.')) return posix.join(posix.dirname(file), from)
  const own = /^@kedge\/(.+)$/.exec(from)?.[1]
  if (own !== undefined) return `${own}.ts`
  return from.split('/', from.startsWith('@') ? 2 : 1).join('/')
}

/** The folder a file counts to: its workspace, and one folder below. */
export function folderOf(file: string): string {
  return posix.dirname(file).split('/').slice(0, 2).join('/')
}

export interface Arrow {
  from: string
  to: string
  /** How many imports. */
  count: number
}

/** The imports between the folders of the repository, the most first. */
export function arrows(imports: Imports): Arrow[] {
  const counts = new Map<string, Arrow>()
  for (const [file, made] of imports) {
    for (const { from } of made) {
      const to = target(file, from)
      if (!imports.has(to) || folderOf(file) === folderOf(to)) continue
      const key = `${folderOf(file)} ${folderOf(to)}`
      const arrow = counts.get(key) ?? { from: folderOf(file), to: folderOf(to), count: 0 }
      arrow.count++
      counts.set(key, arrow)
    }
  }
  return [...counts.values()].sort(
    (a, b) => b.count - a.count || `${a.from} ${a.to}`.localeCompare(`${b.from} ${b.to}`),
  )
}

const kubernetesClient = '@kubernetes/client-node'

/** The imports that the design rules out, types or not: `edgecore/a.ts → cloudcore/b.ts`. */
export function forbidden(imports: Imports): string[] {
  const found: string[] = []
  for (const [file, made] of imports) {
    const of = workspace(file)
    for (const { from } of made) {
      const to = target(file, from)
      const other = workspace(to)
      const crosses = (of === 'edgecore' && other === 'cloudcore') || (of === 'cloudcore' && other === 'edgecore')
      const leavesShared = of === 'shared' && ['cloudcore', 'edgecore', 'test', 'scripts'].includes(other)
      const heavy = to === kubernetesClient && (of === 'edgecore' || of === 'shared')
      const fromTests = other === 'test' && of !== 'test' && imports.has(to)
      if (crosses || leavesShared || heavy || fromTests) found.push(`${file} → ${to}`)
    }
  }
  return [...new Set(found)]
}

function workspace(file: string): string {
  return file.split('/')[0] ?? ''
}

/** The groups of files that import each other in a circle when the program runs (Tarjan's components). */
export function cycles(imports: Imports): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (file: string): number => {
    const index = order.size
    order.set(file, index)
    stack.push(file)
    let least = index
    for (const next of runtimeTargets(imports, file)) {
      const seen = order.get(next)
      if (seen === undefined) least = Math.min(least, visit(next))
      else if (stack.includes(next)) least = Math.min(least, seen)
    }
    low.set(file, least)
    if (least === index) {
      const group = stack.splice(stack.indexOf(file))
      if (group.length > 1 || runtimeTargets(imports, file).includes(file)) found.push(group.sort())
    }
    return least
  }
  for (const file of imports.keys()) if (!order.has(file)) visit(file)
  return found
}

function runtimeTargets(imports: Imports, file: string): string[] {
  const made = imports.get(file) ?? []
  return made
    .filter(({ typesOnly }) => !typesOnly)
    .map(({ from }) => target(file, from))
    .filter((to) => imports.has(to))
}
