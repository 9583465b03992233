import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { pod } from '../support/pod-node.ts'

test('a pod is ready when others say so, and no other word of its status comes down', async () => {
  const fleet = await Fleet.start()
  fleet.node('edge-1')
  await eventually(() => fleet.api.find('nodes/edge-1'))
  const { metadata, ...web } = pod('web', { spec: { readinessGates: [{ conditionType: 'shop/open' }] } })
  await fleet.api.create({ ...web, metadata: { name: 'web', namespace: 'default' } })

  const condition = async (type: string) => {
    const conditions = (await fleet.api.get('pods/default/web')).status?.conditions
    return Array.isArray(conditions) ? conditions.find((one) => one.type === type) : undefined
  }
  await eventually(async () => (await condition('Ready'))?.reason === 'ReadinessGatesNotReady')
  expect(await condition('ContainersReady')).toMatchObject({ status: 'True' })

  await fleet.api.patchStatus('pods/default/web', {
    conditions: [...(await conditionsOf(fleet)), { type: 'shop/open', status: 'True' }],
  })
  await eventually(async () => (await condition('Ready'))?.status === 'True')
  expect(await condition('shop/open')).toMatchObject({ status: 'True' })
})

async function conditionsOf(fleet: Fleet): Promise<unknown[]> {
  const { status } = await fleet.api.get('pods/default/web')
  return Array.isArray(status?.conditions) ? status.conditions : []
}
