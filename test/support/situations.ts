import type { Container, ContainerState, Sandbox } from '@kedge/edgecore/pods/runtime'
import type { Situation } from '@kedge/edgecore/pods/situation'
import { readPod, type Wanted } from '@kedge/edgecore/pods/spec'
import { type PodOptions, pod } from './pod-node.ts'

/** Situations for the tables of `plan` and `podStatus`. Times are in seconds; now is 1000. */

export const now = 1_000_000

export function at(seconds: number): number {
  return seconds * 1000
}

export function wanted(options: PodOptions = {}): Wanted {
  return readPod(pod('web', { uid: 'u', ...options }), null)
}

export function running(started = 900): ContainerState {
  return { is: 'running', startedAt: at(started) }
}

export function exited(exitCode: number, started = 900, finished = 999): ContainerState {
  const reason = exitCode === 0 ? 'Completed' : 'Error'
  return { is: 'exited', startedAt: at(started), finishedAt: at(finished), exitCode, reason }
}

export function container(state: ContainerState, change: Partial<Container> = {}): Container {
  const { name = 'web', attempt = 0 } = change
  return {
    ...{ id: `${name}-${attempt}`, name, kind: 'main', image: 'nginx:1.27', imageId: 'sha256:1', attempt },
    ...{ backoffMs: 0, createdAt: at(900), state },
    ...change,
  }
}

export function sandbox(containers: Container[] = [], change: Partial<Sandbox> = {}): Sandbox {
  return {
    ...{ id: 's0', pod: { namespace: 'default', name: 'web', uid: 'u' }, attempt: 0, graceMs: at(30) },
    ...{ ready: true, createdAt: at(890), containers },
    ...change,
  }
}

export function situation(change: Partial<Situation> = {}): Situation {
  return {
    wanted: wanted(),
    seen: [],
    images: new Map([['nginx:1.27', { is: 'present', id: 'sha256:1' }]]),
    volumes: { is: 'ready' },
    unconfigured: new Map(),
    failures: new Map(),
    tended: new Map(),
    killed: new Set(),
    downSince: new Map(),
    lastWords: new Map(),
    unsupported: [],
    now,
    ...change,
  }
}
