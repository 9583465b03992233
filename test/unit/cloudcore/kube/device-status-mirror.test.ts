import { DeviceStatusMirror } from '@kedge/cloudcore/kube/device-status-mirror'
import { Freshest } from '@kedge/cloudcore/kube/freshest'
import { Limiter } from '@kedge/cloudcore/kube/limiter'
import { deviceStatusPath } from '@kedge/cloudcore/kube/paths'
import { systemClock } from '@kedge/shared/clock'
import { deviceStatusCrd } from '@kedge/shared/kubeapi/device-crds'
import { silentLog } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { devicesPath, kubeRig } from '../../../support/kube-rig.ts'

const twins = [{ propertyName: 'level', reported: { value: '7', metadata: { timestamp: '1', type: 'int' } } }]

test('a DeviceStatus says what its Device says, and goes with it, also when nobody looked', async () => {
  const { kube, catalog, counters } = await kubeRig()
  await kube.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', deviceStatusCrd())
  await eventually(() => kube.list(deviceStatusPath()).then(() => true))
  const freshest = new Freshest((key) => catalog.get(key as Key)?.object)
  const start = async () => {
    const parts = { kube, freshest, limiter: new Limiter(4), counters, clock: systemClock, log: silentLog }
    const mirror = new DeviceStatusMirror({ ...parts, random: () => 0.1, catalog })
    onTestFinished(() => mirror.stop())
    await mirror.start()
    return mirror
  }
  const device = (name: string) => ({
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'edge-1' },
  })
  catalog.start()
  await catalog.ready
  const made = await kube.create(devicesPath, device('lamp'))
  const first = await start()
  await kube.patchStatus(`${devicesPath}/lamp`, { status: { twins, state: 'online', conditions: [] } })
  await eventually(async () => {
    const { status } = await kube.get(deviceStatusPath('default', 'lamp'))
    return status?.state === 'online'
  })
  const object = await kube.get(deviceStatusPath('default', 'lamp'))
  expect(object).toMatchObject({
    metadata: { ownerReferences: [{ kind: 'Device', name: 'lamp', uid: made.metadata.uid, controller: true }] },
    status: { twins, state: 'online' },
  })
  expect(object.status?.conditions).toBeUndefined()

  await kube.create(devicesPath, device('fan'))
  await eventually(() => kube.get(deviceStatusPath('default', 'fan')).catch(() => undefined))
  await kube.delete(`${devicesPath}/fan`)
  await eventually(async () => (await kube.list(deviceStatusPath())).items.length === 1)

  await first.stop()
  await kube.delete(`${devicesPath}/lamp`)
  await eventually(() => catalog.get('devices/default/lamp') === undefined)
  await start()
  await eventually(async () => (await kube.list(deviceStatusPath())).items.length === 0)
})
