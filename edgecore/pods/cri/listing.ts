import * as z from 'zod'
import type { Container, ContainerState, Sandbox } from '../runtime.ts'
import { type ContainerStatus, type Container as CriContainer, containerState } from './api-container.ts'
import { type PodSandbox, sandboxState } from './api-sandbox.ts'
import { recordAnnotation } from './names.ts'

/** What the CRI lists, and what it says of each, in Kedge's words; pure. */

const notes = z.record(z.string(), z.string()).optional()

const SandboxRecord = z.object({ graceMs: z.number().nonnegative(), notes })

const ContainerRecord = z.object({
  kind: z.enum(['init', 'sidecar', 'main']),
  image: z.string(),
  imageId: z.string(),
  backoffMs: z.number().nonnegative(),
  hash: z.string().optional(),
  notes,
})

export interface Listed {
  sandboxes: readonly PodSandbox[]
  containers: readonly CriContainer[]
  /** The addresses of sandboxes, by id. */
  ips: ReadonlyMap<string, readonly string[]>
  /** More of each container, by id; a container without it has vanished meanwhile. */
  statuses: ReadonlyMap<string, ContainerStatus | undefined>
  /** When containers that were asked to end will be killed, by id. */
  stopping: ReadonlyMap<string, number>
}

export function sandboxesOf(listed: Listed): Sandbox[] {
  const bySandbox = new Map<string, Container[]>()
  for (const one of listed.containers) {
    const container = containerOf(one, listed)
    const others = bySandbox.get(one.pod_sandbox_id)
    if (container === undefined) continue
    if (others === undefined) bySandbox.set(one.pod_sandbox_id, [container])
    else others.push(container)
  }
  return listed.sandboxes.map((one) => sandboxOf(one, bySandbox.get(one.id) ?? [], listed.ips.get(one.id) ?? []))
}

function sandboxOf(sandbox: PodSandbox, containers: Container[], ips: readonly string[]): Sandbox {
  const { id, metadata, state, created_at, annotations } = sandbox
  const { namespace = '', name = '', uid = '', attempt = 0 } = metadata ?? {}
  const parsed = SandboxRecord.safeParse(fromJson(annotations[recordAnnotation]))
  const { graceMs, notes } = parsed.success ? parsed.data : { graceMs: 30_000 }
  const [ip] = ips
  return {
    id,
    pod: { namespace, name, uid },
    attempt,
    graceMs,
    ...(notes && { notes }),
    ready: state === sandboxState.ready,
    createdAt: milliseconds(created_at),
    ...(ip !== undefined && { ip, ips: [...ips] }),
    containers: containers.sort((a, b) => a.createdAt - b.createdAt),
  }
}

/** Undefined when it is not one of ours, or vanished. */
function containerOf(one: CriContainer, { statuses, stopping }: Listed): Container | undefined {
  const record = ContainerRecord.safeParse(fromJson(one.annotations[recordAnnotation]))
  const status = statuses.get(one.id)
  if (!record.success || status === undefined) return undefined
  const { name = '', attempt = 0 } = one.metadata ?? {}
  const state = stateOf(status, stopping.get(one.id))
  const { hash, notes, ...rest } = record.data
  const optional = { ...(hash !== undefined && { hash }), ...(notes && { notes }) }
  return { id: one.id, name, attempt, ...rest, ...optional, createdAt: milliseconds(one.created_at), state }
}

function stateOf(status: ContainerStatus, until: number | undefined): ContainerState {
  const { state, exit_code, reason, message } = status
  if (state === containerState.created) return { is: 'created' }
  if (state === containerState.running) {
    const startedAt = milliseconds(status.started_at)
    return until === undefined ? { is: 'running', startedAt } : { is: 'stopping', startedAt, until }
  }
  // What the engine lost sight of, in a power cut for instance, does not run any more.
  const unknown = state !== containerState.exited
  const finishedAt = milliseconds(status.finished_at || status.started_at || status.created_at)
  const fallback = unknown ? 'Unknown' : exit_code === 0 ? 'Completed' : 'Error'
  return {
    is: 'exited',
    // Nothing ends before it began; an engine under load writes down a beginning late.
    startedAt: status.started_at === 0 ? finishedAt : Math.min(milliseconds(status.started_at), finishedAt),
    finishedAt,
    exitCode: unknown ? 255 : exit_code,
    reason: reason || fallback,
    ...(message !== '' && { message }),
  }
}

export function milliseconds(nanoseconds: number): number {
  return Math.floor(nanoseconds / 1e6)
}

export function fromJson(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
