import * as z from 'zod'
import type { Container, ContainerRecord, ContainerState, Sandbox } from './runtime.ts'

/** The rows of the simulated engine, and how they age: what a container is doing follows from its row and the time. */

const pod = z.object({ namespace: z.string(), name: z.string(), uid: z.string() })

const SandboxRow = z.object({
  is: z.literal('sandbox'),
  id: z.string(),
  pod,
  attempt: z.int(),
  graceMs: z.number(),
  notes: z.record(z.string(), z.string()).optional(),
  ready: z.boolean(),
  createdAt: z.number(),
  /** The boot of the machine that it lives in. */
  bootId: z.string(),
})

const ContainerRow = z.object({
  is: z.literal('container'),
  id: z.string(),
  sandbox: z.string(),
  pod,
  name: z.string(),
  kind: z.enum(['init', 'sidecar', 'main']),
  image: z.string(),
  imageId: z.string(),
  attempt: z.int(),
  backoffMs: z.number(),
  hash: z.string().optional(),
  notes: z.record(z.string(), z.string()).optional(),
  /** In milliseconds, as parsed from the annotation. */
  behaviour: z.object({
    exitAfter: z.number().optional(),
    exitCode: z.number().optional(),
    stopAfter: z.number().optional(),
  }),
  createdAt: z.number(),
  bootId: z.string(),
  startedAt: z.number().optional(),
  /** When it was asked to end, and when it would be killed. */
  stop: z.object({ askedAt: z.number(), until: z.number() }).optional(),
  /** How it ends, be that in the future or the past. */
  exit: z.object({ at: z.number(), code: z.int(), reason: z.string().optional() }).optional(),
  /** It has happened: a clock that is set back does not bring the container back to life. */
  ended: z.boolean().optional(),
})

export const Row = z.discriminatedUnion('is', [SandboxRow, ContainerRow])
export type Row = z.infer<typeof Row>
export type SandboxRow = z.infer<typeof SandboxRow>
export type ContainerRow = z.infer<typeof ContainerRow>

const killed = 137

export function hasEnded({ exit, ended }: ContainerRow, now: number): boolean {
  return ended === true || (exit !== undefined && exit.at <= now)
}

/** The row once started at `now`. An init container ends at once unless its behaviour says otherwise. */
export function begun(row: ContainerRow, now: number): ContainerRow {
  const exitAfter = row.behaviour.exitAfter ?? (row.kind === 'init' ? 0 : undefined)
  if (exitAfter === undefined) return { ...row, startedAt: now }
  return { ...row, startedAt: now, exit: { at: now + exitAfter, code: row.behaviour.exitCode ?? 0 } }
}

/** The row once asked at `now` to end within `graceMs`: whichever end comes first is the one that happens. */
export function stopped(row: ContainerRow, now: number, graceMs: number): ContainerRow {
  if (row.startedAt === undefined || hasEnded(row, now)) return row
  const askedAt = row.stop?.askedAt ?? now
  const until = Math.min(row.stop?.until ?? Number.POSITIVE_INFINITY, now + graceMs)
  const own = { at: Math.max(now, askedAt + (row.behaviour.stopAfter ?? 0)), code: 0 }
  const end = own.at <= until ? own : { at: until, code: killed }
  const exit = row.exit === undefined || end.at < row.exit.at ? end : row.exit
  return { ...row, stop: { askedAt, until }, exit }
}

/** What a row becomes when another boot of the machine finds it: nothing runs any more. Empty when it stays as it is. */
export function afterReboot(row: Row, bootId: string, now: number): Row[] {
  if (row.bootId === bootId) return []
  if (row.is === 'sandbox') return row.ready ? [{ ...row, ready: false }] : []
  const ran = row.startedAt !== undefined && !hasEnded(row, now)
  return ran ? [{ ...row, exit: { at: now, code: 255, reason: 'Unknown' }, ended: true }] : []
}

export function sandboxOf(
  { id, pod, attempt, graceMs, notes, ready, createdAt }: SandboxRow,
  rows: Row[],
  now: number,
): Sandbox {
  const containers = rows.flatMap((row) =>
    row.is === 'container' && row.sandbox === id ? [containerOf(row, now)] : [],
  )
  return { id, pod, attempt, graceMs, ...(notes && { notes }), ready, createdAt, containers }
}

function containerOf(row: ContainerRow, now: number): Container {
  const { id, createdAt } = row
  return { id, ...recordOf(row), createdAt, state: stateOf(row, now) }
}

/** What is kept of a container: its environment, for one, is not. */
export function recordOf(config: ContainerRecord): ContainerRecord {
  const { name, kind, image, imageId, attempt, backoffMs, hash, notes } = config
  const optional = { ...(hash !== undefined && { hash }), ...(notes && { notes }) }
  return { name, kind, image, imageId, attempt, backoffMs, ...optional }
}

function stateOf(row: ContainerRow, now: number): ContainerState {
  const { startedAt, stop, exit } = row
  if (startedAt === undefined) return { is: 'created' }
  if (exit !== undefined && hasEnded(row, now)) {
    const reason = exit.reason ?? (exit.code === 0 ? 'Completed' : 'Error')
    return { is: 'exited', startedAt, finishedAt: exit.at, exitCode: exit.code, reason }
  }
  return stop === undefined ? { is: 'running', startedAt } : { is: 'stopping', startedAt, until: stop.until }
}
