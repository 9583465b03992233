import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import type { Store } from '../store/store.ts'
import type { Runtime } from './runtime.ts'
import { systemScheduler } from './scheduler.ts'

export interface RuntimeSettings {
  /** `auto`: the container engine of this machine, wherever it listens. */
  runtime: 'auto' | 'cri' | 'simulated'
  /** The path of the engine's socket; looked for, unless given. */
  runtimeEndpoint?: string
  /** Folder of the logs of all pods; that of kubelet, unless given. */
  podLogs?: string
}

export interface RuntimeParts {
  store: Store
  clock: Clock
  log: Log
  bootId: string
}

/** Opens the engine that the settings name. It may be away: then it is waited for. Only what is used is loaded. */
export async function openRuntime(settings: RuntimeSettings, parts: RuntimeParts): Promise<Runtime> {
  const { store, clock, log, bootId } = parts
  const scheduler = systemScheduler
  if (settings.runtime === 'simulated') {
    const { SimulatedRuntime } = await import('./simulated.ts')
    return SimulatedRuntime.open({ store, clock, scheduler, bootId })
  }
  const { runtimeEndpoint, podLogs = '/var/log/pods' } = settings
  const [{ CriRuntime }, { findEndpoint }] = await Promise.all([import('./cri/engine.ts'), import('./cri/endpoint.ts')])
  return new CriRuntime({ endpoint: () => findEndpoint(runtimeEndpoint), logRoot: podLogs, clock, scheduler, log })
}
