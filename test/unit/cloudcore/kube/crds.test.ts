import type { Kube } from '@kedge/cloudcore/kube/api'
import { openKube } from '@kedge/cloudcore/kube/client'
import { ensureCrds } from '@kedge/cloudcore/kube/crds'
import { systemClock } from '@kedge/shared/clock'
import { UserError } from '@kedge/shared/errors'
import { deviceCrds } from '@kedge/shared/kubeapi/device-crds'
import { openLog, silentLog } from '@kedge/shared/log'
import { expect, onTestFinished, test } from 'vitest'
import { type FaultyKube, startFaultyKube } from '../../../support/faulty-kube.ts'

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const devices = '/apis/devices.kubeedge.io/v1beta1/devices'

async function rig(): Promise<{ server: FaultyKube; kube: Kube; ensure: (over?: object) => Promise<void> }> {
  const server = await startFaultyKube()
  const kube = openKube({ kubeconfig: server.kubeconfig })
  onTestFinished(() => kube.close())
  const given = { kube, log: silentLog, clock: systemClock, random: () => 0, install: true }
  return { server, kube, ensure: (over = {}) => ensureCrds({ ...given, ...over }) }
}

const forbidden = {
  is: 'answer',
  code: 403,
  body: { kind: 'Status', code: 403, reason: 'Forbidden', message: 'not you' },
} as const

test('the definitions are applied and served, and a second time changes nothing', async () => {
  const { server, kube, ensure } = await rig()
  await ensure()
  await expect(kube.list(devices)).resolves.toMatchObject({ items: [] })
  server.asked.splice(0)
  await ensure()
  expect(server.asked.map(({ method }) => method)).toEqual(['GET', 'GET', 'GET'])
})

test('an older definition is brought up to date, and other versions stay', async () => {
  const { kube, ensure } = await rig()
  const [device] = deviceCrds()
  const older = structuredClone(device) as unknown as { spec: { versions: Record<string, unknown>[] } }
  older.spec.versions[0] = { ...older.spec.versions[0], subresources: undefined, additionalPrinterColumns: undefined }
  await kube.create(crds, older as never)
  await ensure()
  const { spec } = await kube.get(`${crds}/devices.devices.kubeedge.io`)
  const served = expect.objectContaining({ name: 'v1beta1', subresources: { status: {} } })
  expect(spec?.versions).toContainEqual(served)
})

test('trouble that passes is waited out', async () => {
  const { server, ensure } = await rig()
  let faults = 3
  server.fault = () => (faults-- > 0 ? { is: 'answer', code: 503 } : undefined)
  const told: Record<string, unknown>[] = []
  const to = { write: (line: string) => void told.push(JSON.parse(line)) }
  await ensure({ log: openLog({ level: 'warn', program: 'test', version: '0', to }) })
  // The first try may be too early; every other one is told, with what is in the way.
  expect(told).toMatchObject([{ msg: 'device crds not served yet' }, { why: expect.stringContaining('broken') }])
  expect(Number(told[1]?.waitMs)).toBeGreaterThanOrEqual(Number(told[0]?.waitMs))
})

test('without permission they must be there, and what to apply is said when they are not', async () => {
  const { server, kube, ensure } = await rig()
  server.fault = ({ path }) => (path.startsWith(crds) ? forbidden : undefined)
  const error = await ensure({ patience: 0 }).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(UserError)
  expect((error as Error).message).toContain('kubectl apply -f deploy/crds/')
  expect((error as Error).message).toContain('devices/status')

  server.fault = () => undefined
  for (const crd of deviceCrds()) await kube.create(crds, crd)
  server.fault = ({ path }) => (path.startsWith(crds) ? forbidden : undefined)
  await ensure()
})

test('told not to install, it only looks', async () => {
  const { server, ensure } = await rig()
  await expect(ensure({ install: false, patience: 0 })).rejects.toThrow('does not serve')
  expect(server.asked.map(({ method }) => method)).toEqual(['GET'])
})
