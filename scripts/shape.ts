import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './build.ts'
import { arrows, cycles, forbidden } from './shape/graph.ts'
import { functionsOf, importsOf } from './shape/source.ts'

interface Sized {
  name: string
  lines: number
}

/** Prints the shape of the code: a mirror, not a gate. */
function main(): void {
  const texts = new Map(sources().map((file) => [file, readFileSync(join(root, file), 'utf8')]))
  const own = [...texts].filter(([file]) => !file.startsWith('test/'))
  const files = own.map(([name, text]) => ({ name, lines: text.split('\n').length - 1 }))
  const functions = own.flatMap(([file, text]) =>
    functionsOf(text).map(({ name, lines }) => ({ name: `${file}: ${name}`, lines })),
  )
  const tests = [...texts].filter(([file]) => file.startsWith('test/'))
  const testLines = tests.reduce((sum, [, text]) => sum + text.split('\n').length - 1, 0)
  const imports = new Map([...texts].map(([file, text]) => [file, importsOf(text)]))
  say(sizes('files', files), sizes('functions', functions))
  say(`tests      ${tests.length} files, ${testLines} lines`, '')
  say(
    'arrows between folders (imports)',
    ...arrows(imports).map(({ from, to, count }) => `  ${pad(count)}  ${from} → ${to}`),
    '',
  )
  say(
    listed(
      'cycles',
      cycles(imports).map((group) => group.join(' ↔ ')),
    ),
  )
  say(listed('forbidden arrows', forbidden(imports)))
}

/** The TypeScript files of the repository, as git knows them and new ones, too. */
function sources(): string[] {
  const listing = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], { cwd: root })
  const files = [...new Set(listing.toString().trim().split('\n'))]
  return files.filter((file) => file.includes('/') && existsSync(join(root, file))).sort()
}

function sizes(what: string, all: Sized[]): string {
  const sorted = all.toSorted((a, b) => a.lines - b.lines)
  const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1]?.lines ?? 0
  const total = sorted.reduce((sum, { lines }) => sum + lines, 0)
  const head = `${what.padEnd(10)} ${all.length}, ${total} lines: median ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)}`
  const biggest = sorted.slice(-8).reverse()
  return [head, ...biggest.map(({ name, lines }) => `  ${pad(lines)}  ${name}`), ''].join('\n')
}

function listed(what: string, items: string[]): string {
  return items.length === 0 ? `${what}: none` : [`${what}:`, ...items.map((item) => `  ${item}`)].join('\n')
}

function pad(count: number): string {
  return String(count).padStart(4)
}

function say(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}

main()
