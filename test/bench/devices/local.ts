import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchContext, settledMemory } from '../harness.ts'
import { Loads, names } from '../load/loads.ts'
import { sensorModel, sensors } from '../support/manifests.ts'
import { type Edge, System } from '../support/system.ts'

/** What many devices on one node cost, before and after each has said something. */
export async function many({ quick, say, figure, wrong }: BenchContext): Promise<void> {
  const count = quick ? 200 : 2000
  await System.run(async (system) => {
    const edge = await withSensors(system, count)
    say(`${count} devices on one node`)
    figure(
      'many devices, resident',
      (await settledMemory(edge.pid)).rss,
      'MB',
      `${count} devices of 2 properties, held, nothing said`,
    )
    const loads = new Loads({ quick, say, figure, wrong, percentiles: () => {} }, edge)
    await loads.put('each says something', { devices: names(count), inFlight: 1, atMost: 3, forMs: 60_000 })
    await system.quiet(1500, 120_000)
    figure(
      'many devices that report, resident',
      (await settledMemory(edge.pid)).rss,
      'MB',
      `${count} devices, each with a connection of its own, 3 reports each; the connections are gone again`,
    )
  })
}

/** An SD card: each fsync takes 20 ms longer. */
export async function slowDisk(context: BenchContext): Promise<void> {
  const library = slowSync(20)
  if (library === undefined) return context.say('no C compiler here: the slow disk is left out')
  try {
    await System.run(async (system) => {
      const edge = await withSensors(system, 50, () => preloading(library.path))
      const loads = new Loads(context, edge)
      const forMs = context.quick ? 2000 : 10_000
      const result = await loads.put('20 ms for each fsync', { devices: names(50), inFlight: 16, forMs })
      const conditions = '50 devices, 16 in flight each, 20 ms added to fsync and fdatasync'
      context.figure('slow disk', result.answered / (result.ms / 1000), '1/s', conditions)
      context.figure('slow disk p99', result.p99, 'ms', conditions)
    })
  } finally {
    library.remove()
  }
}

/** `before` runs around the start of the edge; what it returns, after. */
async function withSensors(system: System, count: number, before: () => () => void = () => () => {}): Promise<Edge> {
  await system.kube.create([sensorModel, ...sensors('sensor', count, 'edge-1')])
  const edge = await system.edge('edge-1')
  const after = before()
  try {
    await edge.up()
  } finally {
    after()
  }
  const rows = edge.rows()
  await rows.counts('devices/', count)
  rows.close()
  await system.quiet(1500, 120_000)
  return edge
}

function preloading(path: string): () => void {
  process.env.LD_PRELOAD = path
  return () => {
    delete process.env.LD_PRELOAD
  }
}

/** A library that makes each fsync of a program longer; undefined where it cannot be compiled. */
function slowSync(ms: number): { path: string; remove: () => void } | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-slow-sync-'))
  const remove = () => rmSync(dir, { recursive: true, force: true })
  const path = join(dir, 'slow.so')
  const slow = (name: string) => `int ${name}(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "${name}");
  usleep(${ms * 1000});
  return real(fd);
}`
  writeFileSync(
    join(dir, 'slow.c'),
    `#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <unistd.h>\n${slow('fsync')}\n${slow('fdatasync')}\n`,
  )
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-o', path, join(dir, 'slow.c'), '-ldl'], { stdio: 'ignore' })
    return { path, remove }
  } catch {
    remove()
    return undefined
  }
}
