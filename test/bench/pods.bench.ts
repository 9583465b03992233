import { setTimeout as pause } from 'node:timers/promises'
import { plan } from '@kedge/edgecore/pods/plan'
import { readPod } from '@kedge/edgecore/pods/spec'
import { pod } from '../support/pod-node.ts'
import { container, running, sandbox, situation } from '../support/situations.ts'
import { type BenchContext, percentile, processorSeconds, settledMemory, timed } from './harness.ts'
import { Board, isReady, type PodKind, restartsOf } from './pods/board.ts'

export const name = 'pods'

export const parts = { comings, calm, hundred, plans }

/** Pods that come and go on a node with one other, and on one with thirty. */
async function comings(context: BenchContext): Promise<void> {
  await Board.run(async (board) => {
    const rounds = context.quick ? 3 : 20
    const own = 'image present, a network of its own'
    await lives(context, board, { rounds, label: 'one pod', conditions: own })
    const kind = { hostNetwork: true }
    const label = 'one pod on the node’s network'
    await lives(context, board, { rounds, label, conditions: 'image present', kind })
    const conditions = 'its process hears no signal and is killed after 1 s'
    await lives(context, board, { rounds: rounds / 2, label: 'deaf', conditions, kind: { deaf: true } })
    const count = context.quick ? 10 : 30
    context.say(`${count} pods`)
    await board.create(named('few', count), {})
    const crowded = { label: `${count} on the node`, conditions: `${own}, ${count} others run` }
    await lives(context, board, { rounds: 2 * rounds, ...crowded })
  })
}

/** What edgecore costs with a pod that runs. */
async function calm(context: BenchContext): Promise<void> {
  await Board.run(async (board) => {
    await board.create(['first'], {})
    await idle(context, board, '1 pod')
  })
}

function named(what: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${what}-${index}`)
}

interface Lives {
  rounds: number
  label: string
  conditions: string
  kind?: PodKind
}

/** Pods that come and go, one after the other. */
async function lives(
  context: BenchContext,
  board: Board,
  { rounds, label, conditions, kind = {} }: Lives,
): Promise<void> {
  context.say(`${rounds} pods, one after the other: ${label}`)
  const created: number[] = []
  const deleted: number[] = []
  for (let round = 0; round < rounds; round++) {
    created.push(await board.create([`pod-${round}`], kind))
    deleted.push(await board.remove(`pod-${round}`))
  }
  context.percentiles(`created → Running, ${label}`, created, 'ms', conditions)
  context.percentiles(`deleted → gone, ${label}`, deleted, 'ms', `grace 1 s, ${conditions}`)
}

/** Memory and processor of a minute in which nothing happens. */
async function idle(context: BenchContext, { system, edge }: Board, what: string): Promise<void> {
  const [settle, seconds] = context.quick ? [1, 5] : [10, 60]
  await system.quiet()
  context.say(`idle for ${settle + seconds} s with ${what}`)
  await pause(settle * 1000)
  const before = processorSeconds(edge.pid)
  await pause(seconds * 1000)
  const percent = ((processorSeconds(edge.pid) - before) / seconds) * 100
  context.figure(`idle, processor, ${what}`, percent, '% of a core', `over ${seconds} s, in steps of 10 ms of time`)
  const { rss, anon } = await settledMemory(edge.pid, { looks: context.quick ? 1 : 5 })
  context.figure(`idle, resident, ${what}`, rss, 'MB', `VmRSS, after ${settle + seconds} s`)
  context.figure(`idle, anonymous, ${what}`, anon, 'MB', `RssAnon, after ${settle + seconds} s`)
}

/** A hundred pods, and an edgecore that comes back to them. */
async function hundred(context: BenchContext): Promise<void> {
  await Board.run(async (board) => {
    const count = context.quick ? 20 : 100
    const all = named('many', count)
    context.say(`${count} pods`)
    const seconds = (await board.create(all, { hostNetwork: true })) / 1000
    context.figure(`${count} pods, all Running`, seconds, 's', 'all at once, on the node’s network')
    await idle(context, board, `${count} pods`)
    const restarts: number[] = []
    for (let round = 0; round < 5; round++) {
      context.say('restart')
      // Each only once: who ends for the second time has to wait before it is begun again.
      const ended = [0, 1, 2].map((third) => all[Math.floor((third * count) / 3) + round] ?? '')
      restarts.push(await restart(context, board, { all, ended }))
    }
    const how = `kill -9, process started → what ended meanwhile runs again, of 3 pods among ${count}; median of 5`
    context.figure(`restart of edgecore, ${count} pods`, percentile(restarts, 0.5), 's', how)
  })
}

/** Seconds from the start of edgecore until the pods that have ended meanwhile run again; the others are as they were. */
async function restart(
  context: BenchContext,
  board: Board,
  { all, ended }: { all: readonly string[]; ended: readonly string[] },
): Promise<number> {
  const { edge, containerd, system } = board
  await system.quiet()
  await edge.kill()
  const ids = new Map(all.map((pod) => [pod, board.containerOf(pod)]))
  for (const pod of ended) process.kill(containerd.pidOf(ids.get(pod) ?? ''), 'SIGKILL')
  const began = performance.now()
  edge.start()
  const again = (pod: string) => board.when(pod, (now) => isReady(now) && restartsOf(now) === 1)
  const back = await Promise.all(ended.map(again))
  const others = all.filter((pod) => !ended.includes(pod) && board.containerOf(pod) !== ids.get(pod))
  if (others.length > 0) context.wrong(`a restart of edgecore restarted ${others.join(', ')}`)
  return (Math.max(...back) - began) / 1000
}

/** What to do for each of 110 pods, when there is nothing to do. */
async function plans(context: BenchContext): Promise<void> {
  const situations = Array.from({ length: 110 }, (_, index) => {
    const uid = `uid-${index}`
    const wanted = readPod(pod(`web-${index}`, { uid }), null)
    const { namespace, name } = wanted
    return situation({ wanted, seen: [sandbox([container(running())], { pod: { namespace, name, uid } })] })
  })
  let steps = 0
  const once = async () => {
    for (const one of situations) steps += plan(one).length
  }
  const samples = await timed(once, { rounds: context.quick ? 20 : 500, warmUp: 20 })
  if (steps > 0) context.wrong(`${steps} steps for pods that have settled`)
  context.percentiles('plan over 110 pods', samples, 'ms', 'all of them run')
}
