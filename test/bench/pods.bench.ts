import { setTimeout as pause } from 'node:timers/promises'
import { plan } from '@kedge/edgecore/pods/plan'
import { readPod } from '@kedge/edgecore/pods/spec'
import { pod } from '../support/pod-node.ts'
import { container, running, sandbox, situation } from '../support/situations.ts'
import { type BenchContext, percentile, processorSeconds, settledMemory, timed } from './harness.ts'
import { Board, isReady, type PodKind, restartsOf } from './pods/board.ts'

export const name = 'pods'

export const parts = { board, plans }

/** One node whose pods grow from one to a hundred. */
async function board(context: BenchContext): Promise<void> {
  await Board.run(async (board) => {
    const rounds = context.quick ? 3 : 20
    const own = 'image present, a network of its own'
    await board.create(['first'], {})
    await idle(context, board, '1 pod')
    await lives(context, board, { rounds, label: 'one pod', conditions: own })
    await lives(context, board, {
      rounds,
      label: 'one pod on the node’s network',
      conditions: 'image present',
      kind: { hostNetwork: true },
    })
    const deaf = 'its process hears no signal and is killed after 1 s'
    await lives(context, board, {
      rounds: context.quick ? 2 : 10,
      label: 'deaf',
      conditions: deaf,
      kind: { deaf: true },
    })
    const count = context.quick ? 10 : 30
    await board.create(named('few', count - 1), {})
    await lives(context, board, {
      rounds: 2 * rounds,
      label: `${count} on the node`,
      conditions: `${own}, ${count} others run`,
    })
    if (context.quick) return
    await idle(context, board, '30 pods')
    await hundred(context, board, count)
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
async function hundred(context: BenchContext, board: Board, there: number): Promise<void> {
  const { edge, containerd, system } = board
  context.say('100 pods')
  const names = named('many', 100 - there)
  const seconds = (await board.create(names, { hostNetwork: true })) / 1000
  const conditions = `${names.length} at once, on the node’s network, ${there} others run`
  context.figure('100 pods, all Running', seconds, 's', conditions)
  await idle(context, board, '100 pods')
  const all = ['first', ...named('few', there - 1), ...names]
  const restarts: number[] = []
  for (let round = 1; round <= 5; round++) {
    await system.quiet()
    await edge.kill()
    const ids = new Map(all.map((pod) => [pod, board.containerOf(pod)]))
    // Who ended meanwhile shows that its pod was looked at.
    const ended = [0, 50, 99].map((index) => all[(index + round) % all.length] ?? '')
    for (const pod of ended) process.kill(containerd.pidOf(ids.get(pod) ?? ''), 'SIGKILL')
    const began = performance.now()
    edge.start()
    const back = await Promise.all(ended.map((pod) => board.when(pod, (now) => isReady(now) && restartsOf(now) === 1)))
    restarts.push((Math.max(...back) - began) / 1000)
    const others = all.filter((pod) => !ended.includes(pod) && board.containerOf(pod) !== ids.get(pod))
    if (others.length > 0) context.wrong(`a restart of edgecore restarted ${others.join(', ')}`)
  }
  const how = 'kill -9, process started → what ended meanwhile runs again, of 3 pods among 100; median of 5'
  context.figure('restart of edgecore, 100 pods', percentile(restarts, 0.5), 's', how)
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
