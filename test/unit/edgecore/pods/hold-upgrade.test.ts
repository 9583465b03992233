import type { PodStatus } from '@kedge/edgecore/pods/status'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PodNode, pod } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const annotations = { 'edge.kubeedge.io/hold-upgrade': 'true' }

let node: PodNode

beforeEach(async () => {
  node = new PodNode(tempDir())
  await node.start()
})

afterEach(async () => {
  await node.crash()
  node.close()
})

const held = () =>
  node.status('default/web')?.conditions.find(({ type }: PodStatus['conditions'][0]) => type === 'HeldUpgrade')

test('a pod that is on hold is begun when it no longer is, and not before, whatever is restarted', async () => {
  await node.put(pod('web', { annotations }))
  await node.pass(60_000)
  expect(node.status('default/web')?.phase).toBe('Pending')
  expect(held()).toMatchObject({ status: 'True', message: expect.stringContaining('hold-upgrade-') })
  await node.reboot()
  expect(await node.parts.runtime.list()).toEqual([])
  await node.put(pod('web'))
  await node.pass(5000)
  expect(node.status('default/web')?.phase).toBe('Running')
  expect(held()?.status).toBe('False')
})

test('what has begun is not held, also where the engine has lost it; what has another uid is', async () => {
  await node.put(pod('web'))
  await node.pass(5000)
  await node.put(pod('web', { annotations }))
  const { runtime } = node.parts
  for (const { id } of await runtime.list()) await runtime.removeSandbox(id)
  await node.reboot()
  await node.pass(5000)
  expect(node.status('default/web')?.phase).toBe('Running')
  await node.put(pod('web', { uid: 'another', annotations }))
  await node.pass(60_000)
  expect([node.status('default/web')?.phase, held()?.status]).toEqual(['Pending', 'True'])
  expect(await runtimeSeen()).toEqual([])
})

const runtimeSeen = async () => (await node.parts.runtime.list()).map(({ pod }) => pod.uid)

test('a pod on hold that is deleted is gone', async () => {
  await node.put(pod('web', { annotations }))
  await node.drop('pods/default/web')
  expect(node.status('default/web')).toBeUndefined()
})
