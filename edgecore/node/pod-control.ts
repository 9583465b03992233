import { setTimeout as pause } from 'node:timers/promises'
import { asArray, asObject } from '@kedge/shared/kubeapi/schema'
import { keyOf } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Pods } from '../pods/pods.ts'
import type { PodName, Runtime, Sandbox } from '../pods/runtime.ts'
import { isRunning } from '../pods/situation.ts'
import type { Objects } from '../store/objects.ts'
import type { LogLine } from './log-line.ts'
import { readLog } from './log-reader.ts'
import { type ContainerWish, type Found, none, placeOf, runningOf } from './pod-target.ts'

export interface PodControlParts {
  objects: Pick<Objects, 'get' | 'list'>
  runtime: Runtime
  pods: Pick<Pods, 'end' | 'hold' | 'release' | 'settled'>
}

export interface LogsWish {
  container?: string
  previous?: boolean
  tail?: number
  /** Milliseconds since the epoch. */
  since?: number
  follow?: boolean
}

export interface ExecWish {
  container?: string
  command: readonly string[]
}

export interface StreamWish extends ExecWish {
  stdin: boolean
  tty: boolean
}

export interface ExecAnswer {
  exitCode: number
  /** Base64. */
  stdout: string
  stderr: string
}

const execMs = 60_000
/** How often it is looked whether a pod that is held has come down. */
const lookMs = 100

/** What a person on the board may do with its pods, with or without the cloud. */
export class PodControl implements Service {
  readonly #parts: PodControlParts
  readonly #stopping = new AbortController()
  /** By `<namespace>/<name>`. */
  readonly #restarts = new Map<string, Promise<void>>()

  constructor(parts: PodControlParts) {
    this.#parts = parts
  }

  /** Whoever waits for a pod to come down waits no longer. */
  async stop(): Promise<void> {
    this.#stopping.abort()
  }

  /** The log of a container, line by line. */
  async logs(pod: PodName, wish: LogsWish, signal: AbortSignal): Promise<Found<AsyncGenerator<LogLine>>> {
    const place = placeOf(await this.#sandboxes(pod), this.#wish(pod, wish))
    if (place.is === 'none') return place
    const { sandbox, container } = place.found
    const { runtime } = this.#parts
    const file = runtime.logFile(sandbox.pod, container)
    if (file === undefined) return none(409, `the ${runtime.name} engine keeps no logs`)
    const ended = async () => {
      const now = (await runtime.list(pod)).flatMap(({ containers }) => containers)
      return !isRunning(now.find(({ id }) => id === container.id))
    }
    const { tail, since, follow } = wish
    const found = readLog({
      file,
      ...(tail !== undefined && { tail }),
      ...(since !== undefined && { since }),
      ...(follow && { follow: { ended, signal } }),
    })
    return { is: 'found', found }
  }

  /** Runs a command in a container and waits for its end. */
  async exec(pod: PodName, wish: ExecWish): Promise<Found<ExecAnswer>> {
    const place = runningOf(await this.#sandboxes(pod), this.#wish(pod, wish))
    if (place.is === 'none') return place
    const { exitCode, stdout, stderr } = await this.#parts.runtime.exec(place.found.container.id, wish.command, execMs)
    return {
      is: 'found',
      found: { exitCode, stdout: stdout.toString('base64'), stderr: stderr.toString('base64') },
    }
  }

  /** A URL of the engine, good for one use, where the command runs with its streams attached. */
  async stream(pod: PodName, wish: StreamWish): Promise<Found<{ url: string }>> {
    const place = runningOf(await this.#sandboxes(pod), this.#wish(pod, wish))
    if (place.is === 'none') return place
    const { command, stdin, tty } = wish
    const container = place.found.container.id
    const url = await this.#parts.runtime.streamUrl({ is: 'exec', container, command, stdin, tty })
    return { is: 'found', found: { url } }
  }

  /** Restarts one container where it is, or the whole pod in a new sandbox. */
  async restart(pod: PodName, container: string | undefined): Promise<Found<{ restarted: string[] }>> {
    const wanted = this.#content(pod)
    if (wanted === undefined) return none(404, `there is no pod ${pod.namespace}/${pod.name} on this node`)
    const policy = asObject(wanted.spec).restartPolicy ?? 'Always'
    if (policy !== 'Always') {
      return none(409, `pod ${pod.name} has restartPolicy ${policy}: what is stopped would not be started again`)
    }
    const sandboxes = await this.#sandboxes(pod)
    const place = runningOf(sandboxes, this.#wish(pod, { ...(container !== undefined && { container }) }))
    if (place.is === 'none') return place
    if (container !== undefined) {
      const { id } = place.found.container
      await this.#parts.pods.end(pod, { id, name: container, graceMs: place.found.sandbox.graceMs })
      return { is: 'found', found: { restarted: [container] } }
    }
    const running = sandboxes.flatMap(({ containers }) => containers).filter(isRunning)
    await this.#downAndUp(pod)
    return { is: 'found', found: { restarted: running.map(({ name }) => name) } }
  }

  /** Who asks for what is under way waits for that: a pod that another lets come up would never be seen down. */
  #downAndUp(pod: PodName): Promise<void> {
    const id = `${pod.namespace}/${pod.name}`
    const underWay = this.#restarts.get(id)
    if (underWay !== undefined) return underWay
    const restart = this.down(pod).finally(() => {
      this.#restarts.delete(id)
      this.#parts.pods.release(pod)
    })
    this.#restarts.set(id, restart)
    return restart
  }

  /** Takes a pod down and holds it; resolves when nothing of it runs any more, at the latest when `signal` says so. */
  async down(pod: PodName, signal?: AbortSignal): Promise<void> {
    const { pods, runtime } = this.#parts
    const enough = signal ? AbortSignal.any([signal, this.#stopping.signal]) : this.#stopping.signal
    pods.hold(pod)
    for (;;) {
      const seen = await runtime.list(pod).catch(() => undefined)
      const up = seen?.some((one) => one.ready || one.containers.some(isRunning)) ?? true
      if (!up || enough.aborted) return
      await pause(lookMs, undefined, { signal: enough }).catch(() => {})
    }
  }

  #sandboxes(pod: PodName): Promise<Sandbox[]> {
    return this.#parts.runtime.list(pod)
  }

  #content({ namespace, name }: PodName) {
    return this.#parts.objects.get(keyOf('pods', namespace, name))?.content
  }

  #wish(pod: PodName, wish: { container?: string; previous?: boolean }): ContainerWish {
    const content = this.#content(pod)
    const { containers, initContainers } = asObject(content?.spec)
    const names = [...asArray(containers), ...asArray(initContainers)].map((one) => String(asObject(one).name))
    const { uid } = content?.metadata ?? {}
    return {
      pod: `${pod.namespace}/${pod.name}`,
      names,
      ...(uid !== undefined && { uid }),
      ...(wish.container !== undefined && { container: wish.container }),
      ...(wish.previous && { previous: true }),
    }
  }
}
