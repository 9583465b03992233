import type { PodName, Sandbox } from '../runtime.ts'
import { methods } from './api.ts'
import { type Container, type ContainerStatus, containerState } from './api-container.ts'
import { type PodSandbox, sandboxState } from './api-sandbox.ts'
import { type CriClient, isGone } from './client.ts'
import { sandboxesOf } from './listing.ts'
import { labels, manager } from './names.ts'

/**
 * What the engine holds of ours. Its lists are short; what only a call for each container tells (times, exit code,
 * addresses) is asked for once and remembered, as it does not change while the state does not.
 *
 * Invariant: nothing is remembered that the engine could not tell again.
 */
export class View {
  readonly #client: Pick<CriClient, 'call'>
  readonly #statuses = new Map<string, ContainerStatus>()
  readonly #ips = new Map<string, readonly string[]>()
  readonly #owners = new Map<string, PodName>()
  readonly #stopping = new Map<string, number>()
  /** Questions under way: at the start everybody asks for the same. */
  readonly #asking = new Map<string, Asking>()
  #expiries = 0

  constructor(client: Pick<CriClient, 'call'>) {
    this.#client = client
  }

  /** Everything that is ours, or that of one pod name. */
  async list(pod?: PodName): Promise<Sandbox[]> {
    const label_selector = {
      [labels.manager]: manager,
      ...(pod && { [labels.podName]: pod.name, [labels.podNamespace]: pod.namespace }),
    }
    const filter = { label_selector }
    const [{ items: sandboxes }, { containers }] = await Promise.all([
      this.#client.call(methods.listSandboxes, { filter }),
      this.#client.call(methods.listContainers, { filter }),
    ])
    if (pod === undefined) this.#forgetOthers(new Set([...sandboxes, ...containers].map(({ id }) => id)))
    for (const one of [...sandboxes, ...containers]) this.own(one.id, ownerOf(one.labels))
    const [ips, statuses] = await Promise.all([
      Promise.all(sandboxes.map(async (one) => [one.id, await this.#address(one)] as const)),
      Promise.all(containers.map(async (one) => [one.id, await this.#look(one)] as const)),
    ])
    // From what was just heard, not from what is remembered: that may be forgotten meanwhile.
    const found = { ips: new Map(ips), statuses: new Map(statuses), stopping: this.#stopping }
    return sandboxesOf({ sandboxes, containers, ...found })
  }

  /** Whose sandbox or container that is, if it is ours. */
  owner(id: string): PodName | undefined {
    return this.#owners.get(id)
  }

  own(id: string, pod: PodName): void {
    if (!this.#owners.has(id)) this.#owners.set(id, { namespace: pod.namespace, name: pod.name })
  }

  /** Something happened to it: the next look asks again. */
  expire(id: string): void {
    this.#expiries += 1
    this.#statuses.delete(id)
  }

  /** It was asked to end and will be killed at `until`, or (undefined) nobody waits for that any more. */
  stop(id: string, until: number | undefined): void {
    if (until === undefined) this.#stopping.delete(id)
    else this.#stopping.set(id, until)
  }

  until(id: string): number | undefined {
    return this.#stopping.get(id)
  }

  async #look({ id, state, created_at }: Container): Promise<ContainerStatus | undefined> {
    if (state === containerState.created) {
      const nothing = { started_at: 0, finished_at: 0, exit_code: 0, reason: '', message: '', labels: {} }
      return { id, metadata: undefined, state, created_at, ...nothing }
    }
    const known = this.#statuses.get(id)
    if (known?.state === state) return known
    const expiries = this.#expiries
    const status = await this.#ask(id, state)
    // What was said before something happened is not worth remembering.
    if (status !== undefined && expiries === this.#expiries) this.#statuses.set(id, status)
    return status
  }

  /** Shares a question that is under way, unless something has happened since it was asked. */
  #ask(id: string, state: number): Promise<ContainerStatus | undefined> {
    const under = this.#asking.get(id)
    const expiries = this.#expiries
    if (under?.state === state && under.expiries === expiries) return under.status
    const status = this.status(id).finally(() => {
      if (this.#asking.get(id) === asked) this.#asking.delete(id)
    })
    const asked: Asking = { state, expiries, status }
    this.#asking.set(id, asked)
    return status
  }

  /** What the engine says of a container now, or undefined when there is none. */
  async status(id: string): Promise<ContainerStatus | undefined> {
    try {
      return (await this.#client.call(methods.containerStatus, { container_id: id })).status
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
  }

  /** Whether the engine's lists have that container or sandbox running now. */
  async runs(id: string): Promise<boolean> {
    const status = await this.status(id)
    if (status !== undefined) return status.state === containerState.running
    const { items } = await this.#client.call(methods.listSandboxes, { filter: { id } })
    return items.some(({ state }) => state === sandboxState.ready)
  }

  async #address({ id, state }: PodSandbox): Promise<readonly string[]> {
    const known = this.#ips.get(id)
    if (known !== undefined || state !== sandboxState.ready) return known ?? []
    try {
      const { status } = await this.#client.call(methods.sandboxStatus, { pod_sandbox_id: id })
      const { ip = '', additional_ips = [] } = status?.network ?? {}
      const ips = [ip, ...additional_ips.map((one) => one.ip)].filter((one) => one !== '')
      this.#ips.set(id, ips)
      return ips
    } catch (error) {
      if (isGone(error)) return []
      throw error
    }
  }

  #forgetOthers(ids: ReadonlySet<string>): void {
    for (const map of [this.#statuses, this.#ips, this.#owners, this.#stopping]) {
      for (const id of map.keys()) if (!ids.has(id)) map.delete(id)
    }
  }
}

interface Asking {
  /** As its list has it. */
  state: number
  expiries: number
  status: Promise<ContainerStatus | undefined>
}

export function ownerOf(found: Readonly<Record<string, string>>): PodName {
  return { namespace: found[labels.podNamespace] ?? '', name: found[labels.podName] ?? '' }
}
