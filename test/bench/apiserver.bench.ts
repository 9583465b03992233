import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileOptions, root } from '../../scripts/build.ts'
import { connect, type Kube } from '../support/kube.ts'
import { type BenchContext, memoryOf, settledMemory } from './harness.ts'

export const name = 'apiserver'

interface Server {
  kube: Kube
  pid: number
}

/** The embedded Kubernetes API, alone in its process; the clients share the machine. */
export async function run(context: BenchContext): Promise<void> {
  const { kube, pid, stop } = await startServer()
  const server = { kube, pid }
  try {
    await creates(context, server, { clients: 1, count: context.quick ? 50 : 500 })
    await creates(context, server, { clients: 32, count: context.quick ? 200 : 10_000 })
    await toOneWatcher(context, server)
    await toManyWatchers(context, server)
    await lists(context, server)
    await memory(context, server)
  } finally {
    await stop()
  }
}

/** A program of the server alone, made as cloudcore's bundle is; it lies where it finds the native addon. */
async function bundle(): Promise<string> {
  const outfile = 'dist/bench-api.js'
  const { build } = await import('esbuild')
  await build({
    ...fileOptions('test/support/api-process.ts', outfile),
    write: true,
    sourcemap: false,
  })
  return join(root, outfile)
}

async function startServer(): Promise<Server & { stop: () => Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-bench-api-'))
  const child: ChildProcess = spawn(process.execPath, [await bundle(), dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  await Promise.race([once(child.stdout ?? child, 'data'), failed(child)])
  const stopChild = async () => {
    process.off('exit', kill)
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(dir, { recursive: true, force: true })
  }
  const kube = connect(join(dir, 'kubeconfig'), { embedded: true, stop: stopChild })
  return { kube, pid: child.pid ?? 0, stop: () => kube.close() }
}

async function failed(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit')
  throw new Error(`the API server ended with ${code}`)
}

const maps = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'

/** Calls `make` for 0 to `count - 1`, `clients` at a time; milliseconds that each took. */
async function parallel(clients: number, count: number, make: (index: number) => Promise<void>): Promise<number[]> {
  const samples: number[] = []
  let next = 0
  const client = async () => {
    for (let index = next++; index < count; index = next++) {
      const started = performance.now()
      await make(index)
      samples.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return samples
}

async function must(kube: Kube, path: string, body: unknown): Promise<void> {
  const reply = await kube.create(path, body)
  if (reply.code !== 201) throw new Error(`create: ${reply.text}`)
}

async function creates(
  context: BenchContext,
  { kube }: Server,
  { clients, count }: { clients: number; count: number },
) {
  context.say(`${count} creates, ${clients} at once`)
  const data = { text: 'x'.repeat(200) }
  const make = (index: number) => must(kube, maps, { metadata: { name: `c${clients}-${index}` }, data })
  await parallel(clients, 50, (index) => must(kube, maps, { metadata: { name: `warm${clients}-${index}` } }))
  const started = performance.now()
  const samples = await parallel(clients, count, make)
  const seconds = (performance.now() - started) / 1000
  const conditions = `ConfigMaps of 200 bytes, ${clients} connections`
  context.figure(`durable creates, ${clients} at once`, count / seconds, '/s', conditions)
  context.percentiles(`create, ${clients} at once`, samples, 'ms', conditions)
}

interface Watcher {
  /** Resolves with the time at which the object of this name was seen. */
  sees(name: string): Promise<number>
  close(): void
}

async function watcher(kube: Kube): Promise<Watcher> {
  const { body } = await kube.get(`${maps}?limit=1`)
  const watch = await kube.watch(`${maps}?watch=1&resourceVersion=${body.metadata.resourceVersion}`)
  return {
    async sees(wanted) {
      for (let event = await watch.next(); event !== undefined; event = await watch.next()) {
        if (event.object.metadata.name === wanted) return performance.now()
      }
      throw new Error('the watch has ended')
    },
    close: watch.close,
  }
}

async function toOneWatcher(context: BenchContext, { kube }: Server): Promise<void> {
  const rounds = context.quick ? 20 : 500
  context.say(`${rounds} writes seen by one watcher`)
  const one = await watcher(kube)
  const samples: number[] = []
  for (let round = 0; round < rounds; round++) {
    const sent = performance.now()
    const seen = one.sees(`seen-${round}`)
    await must(kube, maps, { metadata: { name: `seen-${round}` } })
    samples.push((await seen) - sent)
  }
  one.close()
  context.percentiles('write sent → seen by a watcher', samples, 'ms', 'one write at a time')
}

async function toManyWatchers(context: BenchContext, { kube }: Server): Promise<void> {
  const count = context.quick ? 50 : 1000
  context.say(`${count} watchers`)
  const watchers: Watcher[] = []
  await parallel(16, count, async () => void watchers.push(await watcher(kube)))
  const samples: number[] = []
  const rounds = context.quick ? 2 : 10
  for (let round = 0; round < rounds; round++) {
    const sent = performance.now()
    const seen = watchers.map((each) => each.sees(`many-${round}`))
    await must(kube, maps, { metadata: { name: `many-${round}` } })
    samples.push(...(await Promise.all(seen)).map((at) => at - sent))
  }
  for (const each of watchers) each.close()
  const conditions = 'each on a TLS connection of its own, all clients in one process'
  context.percentiles(`write sent → seen by ${count} watchers`, samples, 'ms', conditions)
}

function podOf(index: number) {
  const containers = [{ name: 'main', image: 'example.com/app:1', env: [{ name: 'A', value: 'b' }] }]
  return { metadata: { name: `p${index}`, labels: { app: `a${index % 10}` } }, spec: { nodeName: 'n', containers } }
}

async function lists(context: BenchContext, { kube }: Server): Promise<void> {
  const count = context.quick ? 500 : 10_000
  context.say(`lists of ${count} pods`)
  await parallel(32, count, (index) => must(kube, pods, podOf(index)))
  const started = performance.now()
  let found = 0
  for (let token = ''; ; ) {
    const { body } = await kube.get(`${pods}?limit=500&continue=${encodeURIComponent(token)}`)
    found += body.items.length
    token = body.metadata.continue ?? ''
    if (token === '') break
  }
  if (found !== count) context.wrong(`${found} of ${count} pods listed`)
  context.figure(`list of ${count} pods`, performance.now() - started, 'ms', 'chunks of 500, parsed by the client')
}

async function memory(context: BenchContext, { kube, pid }: Server): Promise<void> {
  const wanted = context.quick ? 2_000 : 50_000
  const missing = wanted - (await held(kube))
  context.say(`${missing} more objects`)
  await parallel(32, missing, (index) => must(kube, maps, { metadata: { name: `more-${index}` }, data: { a: 'b' } }))
  const objects = await held(kube)
  if (objects !== wanted) context.wrong(`${objects} of ${wanted} objects counted`)
  const conditions = `${objects} objects, the server alone, bundled`
  context.figure('resident after the load', memoryOf(pid).rss, 'MB', conditions)
  context.figure('resident at rest', (await settledMemory(pid)).rss, 'MB', conditions)
}

/** How many objects of the kinds that this bench makes there are. */
async function held(kube: Kube): Promise<number> {
  const lists = await Promise.all([maps, pods].map((path) => kube.get(`${path}?limit=1`)))
  return lists
    .map(({ body }) => body.items.length + (body.metadata.remainingItemCount ?? 0))
    .reduce((sum, each) => sum + each, 0)
}
