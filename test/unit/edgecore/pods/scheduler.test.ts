import { join } from 'node:path'
import { startPods } from '@kedge/edgecore/pods/pods'
import { systemScheduler } from '@kedge/edgecore/pods/scheduler'
import { SimulatedRuntime } from '@kedge/edgecore/pods/simulated'
import { Objects } from '@kedge/edgecore/store/objects'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { PodStatuses } from '@kedge/edgecore/store/pods'
import { Store } from '@kedge/edgecore/store/store'
import { hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { contentText } from '@kedge/shared/objects'
import { expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { pod, simulate } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

test('rings after the shorter time first, and not what was called off', async () => {
  const rung: string[] = []
  systemScheduler.after(30, () => rung.push('later'))
  systemScheduler.after(1, () => rung.push('sooner'))
  systemScheduler.after(2, () => rung.push('never'))()
  // Longer than a timer of Node.js can be, which would ring at once.
  const callOff = systemScheduler.after(2 ** 40, () => rung.push('at once'))
  await eventually(() => rung.includes('later'))
  expect(rung).toEqual(['sooner', 'later'])
  callOff()
})

test('with the real clock, a container that ends by itself is seen to end', async () => {
  const dir = tempDir()
  const common = { clock: systemClock, log: silentLog }
  const store = Store.open({ path: join(dir, 'edge.db'), ...common })
  const objects = new Objects(store.db)
  const runtime = await SimulatedRuntime.open({ store, clock: systemClock, scheduler: systemScheduler, bootId: '' })
  const parts = { store, objects, outbox: new Outbox(store.db, systemClock), runtime, ...common }
  const pods = startPods({ ...parts, dataDir: dir, hostIP: '192.0.2.7', verified: () => true })
  const text = contentText(
    'pods',
    pod('job', {
      annotations: simulate({ containers: { web: { exitAfter: '300ms' } } }),
      spec: { restartPolicy: 'Never' },
    }),
  )
  await store.commit(() => objects.put('pods/default/job', text, hashOf('pods/default/job', text), null))
  pods.wake(['pods/default/job'])
  const phase = () => new PodStatuses(store.db).get('default/job')?.status.phase
  await eventually(() => phase() === 'Succeeded')
  await pods.stop()
  store.close()
})
