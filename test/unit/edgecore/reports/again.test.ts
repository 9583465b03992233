import { reportsOn } from '@kedge/edgecore/reports/again'
import { Objects } from '@kedge/edgecore/store/objects'
import { PodStatuses } from '@kedge/edgecore/store/pods'
import { TwinTable } from '@kedge/edgecore/store/twins'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PodNode, pod } from '../../../support/pod-node.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let node: PodNode

beforeEach(async () => {
  node = new PodNode(tempDir())
  await node.start()
})
afterEach(async () => {
  await node.crash()
  node.close()
})

const again = () => {
  const { db } = node.parts.store
  const known = { statuses: new PodStatuses(db), twins: new TwinTable(db), objects: new Objects(db) }
  return reportsOn(['pods/default/web'], known)
}

test('of a pod that has stopped for good that is said again, too: nobody else would ever say it', async () => {
  await node.put(pod('web'))
  expect(again()).toMatchObject([{ is: 'pod', name: 'web', status: { phase: 'Running' } }])
  expect(again()[0]).not.toHaveProperty('stopped')
  await node.put(pod('web', { deletion: { graceSeconds: 30 } }))
  expect(again()).toEqual(node.reports())
  expect(again()).toMatchObject([{ stopped: true, status: { phase: 'Succeeded' } }])
})

test('a pod that is to live after all, as a cluster put back to an earlier state says, is not stopped any more', async () => {
  await node.put(pod('web'))
  await node.put(pod('web', { deletion: { graceSeconds: 30 } }))
  await node.acknowledge()
  await node.put(pod('web'))
  expect(node.reports()).toHaveLength(1)
  expect(again()).toEqual(node.reports())
  expect(again()[0]).not.toHaveProperty('stopped')
})
