import { join } from 'node:path'
import { SimulatedRuntime } from '@kedge/edgecore/pods/simulated'
import { Store } from '@kedge/edgecore/store/store'
import { silentLog } from '@kedge/shared/log'
import { HandClock } from '../../support/hand-clock.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type Bench, runtimeContract } from './contract.ts'

runtimeContract('simulated', async (): Promise<Bench> => {
  const clock = new HandClock()
  const store = Store.open({ path: join(tempDir(), 'edge.db'), clock, log: silentLog })
  const open = () => SimulatedRuntime.open({ store, clock, scheduler: clock, bootId: 'boot' })
  const pod = (name: string, simulation: unknown) => ({
    ...{ namespace: 'default', name, uid: `uid-${name}`, labels: {}, graceMs: 30_000 },
    containers: [{ name: 'main', kind: 'main' as const, image: 'web:1' }],
    annotations: { 'kedge.io/simulate': JSON.stringify(simulation) },
  })
  return {
    runtime: await open(),
    image: 'web:1',
    // The simulated engine is told by the pod which pulls fail, a real one by the registry.
    missing: { image: 'nowhere:1', pod: pod('web', { pullError: 'no such host' }) },
    pod: (name, ends) => pod(name, ends ? { containers: { main: { exitAfter: '5s', exitCode: ends.exitCode } } } : {}),
    container: () => ({}),
    async until(look) {
      for (let second = 0; second < 60; second += 1) {
        const found = await look()
        if (found !== undefined) return found
        clock.tick(1000)
      }
      throw new Error('not within a minute')
    },
    reopen: open,
    close: async () => store.close(),
  }
})
