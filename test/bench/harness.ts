import { readFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** One figure of a bench. */
export interface Figure {
  bench: string
  figure: string
  value: number
  unit: string
  /** What was done, with how much of what: enough to compare two figures of the same name. */
  conditions: string
}

/** What a bench is run with. */
export interface BenchContext {
  /** Fewer rounds, to see that it works; its figures mean little. */
  quick: boolean
  /** Says what is going on, on standard error. */
  say(line: string): void
  figure(figure: string, value: number, unit: string, conditions: string): void
  /** The 50th and 99th percentile of `samples`, as two figures. */
  percentiles(figure: string, samples: readonly number[], unit: string, conditions: string): void
  /** Tells of a result that is wrong, not slow: something lost or out of order. The run then fails at its end. */
  wrong(what: string): void
}

export type Run = (context: BenchContext) => Promise<void>

/** What a file `test/bench/<name>.bench.ts` exports: `run`, or `parts` that are run in their order or alone. */
export interface Bench {
  name: string
  parts: Readonly<Record<string, Run>>
}

/** A context that puts the figures of `bench` into `into`. */
export function contextFor(
  bench: string,
  { quick, say, wrong }: Pick<BenchContext, 'quick' | 'say' | 'wrong'>,
  into: Figure[],
): BenchContext {
  const figure: BenchContext['figure'] = (name, value, unit, conditions) => {
    into.push({ bench, figure: name, value: rounded(value), unit, conditions })
  }
  return {
    quick,
    say,
    wrong,
    figure,
    percentiles(name, samples, unit, conditions) {
      const counted = `${conditions}, ${samples.length} samples`
      figure(`${name} p50`, percentile(samples, 0.5), unit, counted)
      figure(`${name} p99`, percentile(samples, 0.99), unit, counted)
    },
  }
}

/** The smallest sample that at least the part `p` of all samples does not exceed (nearest rank). Throws without any. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)]
  if (value === undefined) throw new Error('no samples')
  return value
}

/** Three significant digits and whole numbers above. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}

/** Milliseconds that each of `rounds` calls took, after `warmUp` calls that do not count; one at a time. */
export async function timed(
  once: (round: number) => Promise<void>,
  { rounds, warmUp }: { rounds: number; warmUp: number },
): Promise<number[]> {
  const samples: number[] = []
  for (let round = -warmUp; round < rounds; round++) {
    const started = performance.now()
    await once(round)
    if (round >= 0) samples.push(performance.now() - started)
  }
  return samples
}

export interface Memory {
  /** All resident pages, in MB (10^6 bytes), the shared ones of node itself included. */
  rss: number
  /** Those of them that no file backs, in MB: what the process alone costs. */
  anon: number
}

/** The resident memory of a process, from /proc. Throws where there is no /proc, or no such process. */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const megabytes = (field: string) =>
    (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6
  return { rss: megabytes('VmRSS'), anon: megabytes('RssAnon') }
}

/** The memory of a process that does nothing: the median of `looks` looks, `every` milliseconds apart. */
export async function settledMemory(pid: number, { looks = 5, every = 1000 } = {}): Promise<Memory> {
  const seen: Memory[] = []
  for (let look = 0; look < looks; look++) {
    await pause(every)
    seen.push(memoryOf(pid))
  }
  const median = (of: (memory: Memory) => number) => percentile(seen.map(of), 0.5)
  return { rss: median(({ rss }) => rss), anon: median(({ anon }) => anon) }
}

/** Seconds of processor that a process has used since its start, from /proc, in steps of 10 ms. */
export function processorSeconds(pid: number): number {
  // The second field is a name in brackets that may hold spaces; user and system time are fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** The machine in one line. */
export function machine(): string {
  const [cpu] = cpus()
  const model = cpu?.model.trim() || 'unknown processor'
  const memory = `${Math.round(totalmem() / 1e9)} GB`
  return `${cpus().length} × ${model}, ${memory}, ${platform()} ${release()} ${arch()}, Node.js ${process.versions.node}`
}
