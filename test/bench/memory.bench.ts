import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, memoryOf, processorSeconds, settledMemory } from './harness.ts'
import { load } from './load/load.ts'
import { onBoard, type Running } from './memory/board.ts'
import { asShipped, ways } from './memory/ways.ts'

export const name = 'memory'

const devices = 30
const perSecond = 3

/** What each way of running edgecore takes, with TLS, broker, twins and store; and what it takes in the long run. */
export const parts = {
  async ways(context: BenchContext): Promise<void> {
    const all = await ways()
    await onBoard(devices, async (run) => {
      for (const way of all) {
        context.say(way.name)
        await run(way, (running) => idleThenLoaded(context, way.name, running))
      }
    })
  },
  async long(context: BenchContext): Promise<void> {
    await onBoard(devices, (run) => run(asShipped, (running) => loadedForLong(context, running)))
  },
}

async function idleThenLoaded(context: BenchContext, way: string, { pid, mqttPort }: Running): Promise<void> {
  await pause(context.quick ? 2000 : 10_000)
  const idle = await settledMemory(pid, { looks: context.quick ? 1 : 3 })
  context.figure(
    `${way}: idle, resident`,
    idle.rss,
    'MB',
    `VmRSS, joined, in sync, ${devices} devices that say nothing`,
  )
  context.figure(`${way}: idle, anonymous`, idle.anon, 'MB', 'RssAnon')
  context.figure(`${way}: start, processor`, processorSeconds(pid), 's', 'from the start until then')
  const forMs = context.quick ? 3000 : 40_000
  const before = processorSeconds(pid)
  const working = load({ ...plan(mqttPort), forMs })
  await pause(forMs - 1000)
  const loaded = memoryOf(pid)
  const { sent } = await working
  context.figure(
    `${way}: under load, resident`,
    loaded.rss,
    'MB',
    `${devices} devices × ${perSecond}/s, ${forMs / 1000} s`,
  )
  context.figure(
    `${way}: processor for an update`,
    ((processorSeconds(pid) - before) * 1000) / sent,
    'ms',
    'of that load',
  )
}

/** The memory in the middle of each minute, and whether it still grows in the second half. */
async function loadedForLong(context: BenchContext, { pid, mqttPort }: Running): Promise<void> {
  const [minutes, minute] = context.quick ? [2, 3000] : [24, 60_000]
  const working = load({ ...plan(mqttPort), forMs: minutes * minute })
  const seen: number[] = []
  for (let each = 0; each < minutes; each++) {
    await pause(minute / 2)
    seen.push(memoryOf(pid).rss)
    context.say(`minute ${each + 1}: ${seen.at(-1)?.toFixed(1)} MB`)
    await pause(minute / 2)
  }
  await working
  const conditions = `${devices} devices × ${perSecond}/s for ${minutes} min, linked with TLS`
  context.figure('long load, resident at most', Math.max(...seen), 'MB', conditions)
  context.figure('long load, resident at the end', seen.at(-1) ?? 0, 'MB', conditions)
  context.figure('long load, slope', slope(seen.slice(minutes / 2)) * 60, 'MB/h', 'least squares over the second half')
}

function plan(port: number) {
  return { port, devices: Array.from({ length: devices }, (_, index) => `sensor-${index}`), inFlight: 0, perSecond }
}

/** The slope of the line that fits `values` best, per step. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const over = values.reduce((sum, value, step) => sum + (step - middle) * (value - mean), 0)
  return over / values.reduce((sum, _, step) => sum + (step - middle) ** 2, 0)
}
