import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { PodName, Runtime, Sandbox } from '@kedge/edgecore/pods/runtime'
import { type Key, keyOf } from '@kedge/shared/objects'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configMap, PodNode, pod, simulate } from '../../support/pod-node.ts'
import { tempDir } from '../../support/temp-dir.ts'

/**
 * Whatever is wanted and no longer wanted, however often edgecore is killed, the machine rebooted and the engine failing,
 * and however time passes in between: in the end exactly what is wanted runs, and nothing ever runs twice.
 */

const names = ['a', 'b'] as const
const second = 1000

const behaviours = [
  {},
  { exitAfter: '3s', exitCode: 1 },
  { exitAfter: '40s' },
  { stopAfter: '20s' },
  { stopAfter: '1h' },
] as const

const Wish = fc.record({
  name: fc.constantFrom(...names),
  life: fc.integer({ min: 0, max: 3 }),
  image: fc.constantFrom('web:1', 'web:2', 'web:3', 'web:4'),
  pullTime: fc.constantFrom('0s', '15s'),
  behaviour: fc.constantFrom(...behaviours),
  restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
  init: fc.boolean(),
  config: fc.boolean(),
})
type Wish = typeof Wish extends fc.Arbitrary<infer T> ? T : never

const Act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ is: fc.constant('want' as const), wish: Wish }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('delete' as const), name: fc.constantFrom(...names) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('drop' as const), name: fc.constantFrom(...names) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('config' as const), there: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ is: fc.constant('time' as const), seconds: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constantFrom('crash' as const, 'reboot' as const, 'start' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ is: fc.constant('kill' as const), wish: Wish, calls: fc.integer({ min: 0, max: 12 }) }),
  },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('engine' as const), failing: fc.boolean() }) },
)
type Act = typeof Act extends fc.Arbitrary<infer T> ? T : never

function uidOf({ name, life, restartPolicy }: Pick<Wish, 'name' | 'life' | 'restartPolicy'>): string {
  return `${name}-${life}-${restartPolicy}`
}

const command = { exec: { command: ['true'] } }

function podOf({ name, life, image, pullTime, behaviour, restartPolicy, init, config }: Wish, deletion: boolean) {
  const hooks = { lifecycle: { postStart: command, preStop: command }, livenessProbe: command, readinessProbe: command }
  const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'a' } } }]
  return pod(name, {
    uid: uidOf({ name, life, restartPolicy }),
    annotations: simulate({ containers: { web: behaviour }, pullTime }),
    spec: {
      restartPolicy,
      containers: [{ name: 'web', image, ...hooks, ...(config && { env }) }],
      ...(init && { initContainers: [{ name: 'init', image: 'init:1' }] }),
      volumes: [{ name: 'own', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } }],
    },
    ...(deletion && { deletion: { graceSeconds: 5 } }),
  })
}

interface Trouble {
  /** Every call fails, half of them after they did what they were asked to. */
  failing: boolean
  /** After so many calls edgecore is killed: that call and all later ones never come back. */
  callsLeft: number
  killed: () => void
  /** Pods that were looked after by two at once. */
  clashes: string[]
}

/** `real`: it says of itself that it executes, so that probes and hooks count. */
function fragile(runtime: Runtime, trouble: Trouble, real: boolean): Runtime {
  let calls = 0
  const looking = new Set<string>()
  return new Proxy(runtime, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name === 'notice' && real) return undefined
      if (typeof value !== 'function') return value
      if (name === 'watch' || name === 'refusal' || name === 'logFile') return value.bind(target)
      if (name === 'list')
        return (pod?: PodName) => alone(pod, { looking, ...trouble }, () => call(value, pod === undefined ? [] : [pod]))
      return (...args: unknown[]) => call(value, args)

      async function call(method: (...args: unknown[]) => unknown, args: unknown[]): Promise<unknown> {
        calls += 1
        if (trouble.failing && calls % 2 === 0) throw new Error('the engine is out of order')
        if (trouble.callsLeft < 0) return new Promise(() => {})
        const result = await method.apply(target, args)
        trouble.callsLeft -= 1
        if (trouble.callsLeft < 0) {
          trouble.killed()
          return new Promise(() => {})
        }
        if (trouble.failing) throw new Error('the engine did it and could not say so')
        return result
      }
    },
  })
}

interface Watched {
  looking: Set<string>
  clashes: string[]
}

/** One pod never has two workers: nobody looks at a pod while somebody else does. */
async function alone<T>(pod: PodName | undefined, { looking, clashes }: Watched, look: () => Promise<T>): Promise<T> {
  if (pod === undefined) return look()
  if (looking.has(pod.name)) clashes.push(pod.name)
  looking.add(pod.name)
  try {
    return await look()
  } finally {
    looking.delete(pod.name)
  }
}

class World {
  readonly node = new PodNode(tempDir())
  readonly wishes = new Map<string, { wish: Wish; deletion: boolean }>()
  /** The uids of pods that were deleted: Kubernetes never gives one twice, and never takes a deletion back. */
  readonly gone = new Set<string>()
  config = false
  failing = false
  readonly clashes: string[] = []
  trouble = this.newTrouble()

  constructor(real: boolean) {
    this.node.wrap = (runtime) => {
      this.trouble = this.newTrouble()
      return fragile(runtime, this.trouble, real)
    }
  }

  newTrouble(): Trouble {
    const { failing, clashes } = this
    return { failing, clashes, callsLeft: Number.POSITIVE_INFINITY, killed: () => {} }
  }

  async act(act: Act): Promise<void> {
    const { node } = this
    switch (act.is) {
      case 'want': {
        // Another restart policy is another pod: Kubernetes lets nobody change that of one that there is.
        const before = this.wishes.get(act.wish.name)?.wish
        if (before !== undefined && uidOf(before) !== uidOf(act.wish)) this.gone.add(uidOf(before))
        const wish = this.fresh(act.wish)
        this.wishes.set(wish.name, { wish, deletion: false })
        return node.put(podOf(wish, false))
      }
      case 'delete': {
        const wanted = this.wishes.get(act.name)
        if (wanted === undefined) return
        wanted.deletion = true
        this.gone.add(uidOf(wanted.wish))
        return node.put(podOf(wanted.wish, true))
      }
      case 'drop': {
        const wanted = this.wishes.get(act.name)
        if (wanted !== undefined) this.gone.add(uidOf(wanted.wish))
        this.wishes.delete(act.name)
        return node.drop(keyOf('pods', 'default', act.name))
      }
      case 'config':
        this.config = act.there
        return act.there ? node.put(configMap('conf', { a: '1' })) : node.drop('configmaps/default/conf' as Key)
      case 'time':
        return node.started ? node.pass(act.seconds * second) : void node.clock.tick(act.seconds * second)
      case 'crash':
        return node.started ? node.crash() : undefined
      case 'start':
        return node.started ? undefined : node.start()
      case 'reboot':
        if (!node.started) await node.start()
        return node.reboot()
      case 'engine':
        this.failing = act.failing
        this.trouble.failing = act.failing
        return
      case 'kill':
        if (!node.started) await node.start()
        return this.kill(act.wish, act.calls)
    }
  }

  /** The wish, for a pod that never was deleted. */
  fresh(wish: Wish): Wish {
    return this.gone.has(uidOf(wish)) ? this.fresh({ ...wish, life: wish.life + 10 }) : wish
  }

  /** Kills edgecore while it is at work on a wish. */
  async kill(wish: Wish, calls: number): Promise<void> {
    const killed = new Promise<void>((resolve) => {
      Object.assign(this.trouble, { callsLeft: calls, killed: resolve })
    })
    await Promise.race([this.act({ is: 'want', wish }), killed])
    // What was on its way to the disk gets there: the database outlives the process, not the other way round.
    await new Promise((resolve) => setImmediate(resolve))
    this.trouble.callsLeft = -1
    this.node.abandon()
    await this.node.start()
  }

  async seen(): Promise<Sandbox[]> {
    const { failing, callsLeft } = this.trouble
    Object.assign(this.trouble, { failing: false, callsLeft: Number.POSITIVE_INFINITY })
    const seen = await this.node.parts.runtime.list()
    Object.assign(this.trouble, { failing, callsLeft })
    return seen
  }
}

function nothingTwice(seen: readonly Sandbox[]): void {
  const running = seen.flatMap(({ pod: { name }, containers }) =>
    containers.flatMap((container) =>
      ['running', 'stopping'].includes(container.state.is) ? [`${name}/${container.name}`] : [],
    ),
  )
  expect(running).toEqual([...new Set(running)])
}

async function asWanted(world: World): Promise<void> {
  const { node, wishes } = world
  const seen = await world.seen()
  for (const name of names) {
    const own = seen.filter((sandbox) => sandbox.pod.name === name)
    const running = own.flatMap(({ containers }) => containers.filter(({ state }) => state.is === 'running'))
    const wanted = wishes.get(name)
    const status = node.status(`default/${name}`)
    if (wanted === undefined) {
      expect(own).toEqual([])
      expect(status).toBeUndefined()
      continue
    }
    const { wish, deletion } = wanted
    const uid = uidOf(wish)
    expect(new Set(own.map((sandbox) => sandbox.pod.uid)).size).toBeLessThanOrEqual(1)
    expect(own.every((sandbox) => sandbox.pod.uid === uid)).toBe(true)
    if (deletion) {
      expect(running).toEqual([])
      expect(node.reports().findLast((report) => report.name === name)).toMatchObject({ uid, stopped: true })
    } else if (status?.phase === 'Succeeded' || status?.phase === 'Failed') {
      expect(wish.restartPolicy).not.toBe('Always')
      expect(running).toEqual([])
    } else if (running.length === 0) {
      // Down, and rightly so: it waits for its ConfigMap, or for its next try.
      const state = status?.containerStatuses[0]?.state
      const reason = state && 'waiting' in state ? state.waiting.reason : undefined
      expect(reason).toBe(wish.config && !world.config ? 'CreateContainerConfigError' : 'CrashLoopBackOff')
    } else {
      expect(running).toMatchObject([{ name: 'web', image: wish.image }])
      expect(status?.phase).toBe('Running')
      expect(existsSync(join(node.dir, 'pods', uid, 'volumes', 'own', 'name'))).toBe(true)
    }
  }
}

async function converges({ real, numRuns }: { real: boolean; numRuns: number }): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(Act, { minLength: 1, maxLength: 25 }), async (acts) => {
      const world = new World(real)
      const { node } = world
      await node.start()
      try {
        for (const act of acts) {
          await world.act(act)
          if (node.started) nothingTwice(await world.seen())
        }
        await world.act({ is: 'engine', failing: false })
        if (!node.started) await node.start()
        // Longer than the longest back-off, and not while a container happens to be between two lives.
        await node.pass(600 * second)
        await asWanted(world)
        expect(world.clashes).toEqual([])
      } finally {
        if (node.started) await node.crash()
        node.close()
      }
    }),
    { numRuns },
  )
}

test('what is wanted runs in the end, and nothing runs twice on the way', () => converges({ real: false, numRuns: 40 }))

test('so it is with probes and hooks that engines execute', () => converges({ real: true, numRuns: 15 }))
