import { readdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { explain, UserError } from '@kedge/shared/errors'
import { nearest } from '@kedge/shared/near'
import { build } from '../../scripts/build.ts'
import { goalOf } from './goals.ts'
import { type Bench, contextFor, type Figure, machine, type Run } from './harness.ts'

const suffix = '.bench.ts'
const help = 'Usage: npm run bench -- NAME… [--only PART] [--json FILE] [--quick]\n'

const note = (line: string) => void process.stderr.write(`${line}\n`)

/** Runs the named benches one after the other, prints their figures, and writes them where asked. */
async function main(argv: readonly string[]): Promise<void> {
  const { names, only, json, quick } = optionsOf(argv)
  const benches = await Promise.all(names.map(load))
  await build()
  const figures: Figure[] = []
  const wrongs: string[] = []
  const say = (line: string) => note(`  ${line}`)
  for (const bench of benches) {
    note(`${bench.name}:`)
    const wrong = (what: string) => void wrongs.push(`WRONG: ${bench.name}: ${what}\n`)
    const context = contextFor(bench.name, { quick, say, wrong }, figures)
    for (const part of partsOf(bench, only)) await part(context)
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`)
  const busy = loadavg().map((load) => load.toFixed(1))
  const where = `${machine()}, load averages ${busy.join(' ')}`
  process.stdout.write(`\n${where}${quick ? ' (quick: these figures mean little)' : ''}\n\n${tableOf(figures)}`)
  if (wrongs.length === 0) return
  process.stdout.write(`\n${wrongs.join('')}`)
  process.exitCode = 1
}

function partsOf({ name, parts }: Bench, only: string | undefined): Run[] {
  if (only === undefined) return Object.values(parts)
  const part = parts[only]
  if (part === undefined)
    throw new UserError(`${name} has no part "${only}"; there are: ${Object.keys(parts).join(', ')}`)
  return [part]
}

function optionsOf(argv: readonly string[]): { names: string[]; only?: string; json?: string; quick: boolean } {
  const options = { only: { type: 'string' }, json: { type: 'string' }, quick: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true })
  const known = available()
  if (positionals.length === 0) throw new UserError(`${help}There are: ${known.join(', ') || 'none'}`)
  for (const name of positionals) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw new UserError(`no bench "${name}"; ${near ? `did you mean ${near}?` : `there are: ${known.join(', ')}`}`)
  }
  return { names: positionals, only: values.only, json: values.json, quick: values.quick ?? false }
}

function available(): string[] {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith(suffix))
  return files.map((file) => file.slice(0, -suffix.length)).sort()
}

async function load(name: string): Promise<Bench> {
  const module = (await import(join(import.meta.dirname, `${name}${suffix}`))) as Partial<Bench> & { run?: Run }
  const parts = module.parts ?? (module.run && { all: module.run })
  if (typeof module.name !== 'string' || parts === undefined) {
    throw new Error(`${name}${suffix} must export "name", and "run" or "parts"`)
  }
  return { name: module.name, parts }
}

function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((each) => {
    const { goal, kubeEdge } = goalOf(each)
    return [each.bench, each.figure, String(each.value), each.unit, goal, kubeEdge, each.conditions]
  })
  const lines = [['BENCH', 'FIGURE', 'VALUE', 'UNIT', 'GOAL', 'KUBEEDGE', 'CONDITIONS'], ...rows]
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  const pad = (cell: string, column: number) =>
    column === 2 ? cell.padStart(widths[2] ?? 0) : cell.padEnd(widths[column] ?? 0)
  return lines.map((line) => `${line.map(pad).join('  ').trimEnd()}\n`).join('')
}

// Ended by a signal, too, what was started goes (`exit` handlers).
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

main(process.argv.slice(2)).catch((error: unknown) => {
  note(error instanceof UserError ? error.message : `bench: ${explain(error)}`)
  // At once: what a bench was waiting for would keep the process for a while.
  process.exit(error instanceof UserError ? 2 : 1)
})
