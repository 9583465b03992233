import { tokenCommand } from '@kedge/cloudcore/cli/token'
import { startCloudcore } from '@kedge/cloudcore/cloudcore'
import { cloudcoreProgram, kubernetesWay } from '@kedge/cloudcore/settings'
import { join } from '@kedge/edgecore/cli/join'
import { systemClock } from '@kedge/shared/clock'
import { deviceCrds } from '@kedge/shared/kubeapi/device-crds'
import { startOf } from '@kedge/shared/load-settings'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, onTestFinished, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { Api, conditionOf, statusTwins } from '../support/api.ts'
import { DeviceClient } from '../support/device-client.ts'
import { eventually } from '../support/eventually.ts'
import { type FaultyKube, startFaultyKube } from '../support/faulty-kube.ts'
import { type Body, connect } from '../support/kube.ts'
import { configMap, podOn, room, roomModel } from '../support/manifests.ts'
import { startEdge } from '../support/members.ts'
import { covers, manifests, needed, type Right, rightsOf } from '../support/rights.ts'
import { tempDir } from '../support/temp-dir.ts'

const rights = rightsOf(manifests('rights.yaml'), 'cloudcore')
const container: Body = manifests('deployment.yaml')[0].spec.template.spec.containers[0]
const env: Record<string, string> = Object.fromEntries(container.env.map(({ name, value }: Body) => [name, value]))
const inPod = { ...env, KUBERNETES_SERVICE_HOST: '10.96.0.1' }

async function settingsOfTheDeployment() {
  const start = await startOf(cloudcoreProgram, { argv: [], env: inPod, read: () => '' })
  if (start.is === 'say') throw new Error(start.text)
  return start.values
}

/** What was asked of the API, beside what may be. Everything else is refused, as Kubernetes does. */
class Guard {
  readonly used = new Set<Right>()
  readonly refused: string[] = []
  /** Resources of which the next patch meets a conflict. */
  readonly conflicts = new Set<string>()

  constructor(server: FaultyKube) {
    server.fault = (asked) => {
      const right = needed(asked)
      if (right === undefined) return undefined
      const [by] = rights.filter((each) => covers(each, right))
      if (by === undefined) {
        this.refused.push(`${right.verb} ${right.resource} in ${right.namespace ?? 'the cluster'}`)
        return {
          is: 'answer',
          code: 403,
          body: { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no right' },
        }
      }
      this.used.add(by)
      if (right.verb === 'patch' && this.conflicts.delete(right.resource)) return { is: 'answer', code: 409 }
      return undefined
    }
  }
}

async function startAsDeployed(kubeconfig: string) {
  const { linkHost: _, ...settings } = await settingsOfTheDeployment()
  const cloudcore = await startCloudcore({
    settings: {
      ...settings,
      ...{
        data: tempDir(),
        linkHost: '127.0.0.1',
        linkPort: 0,
        metricsAddress: null,
        statusInterval: 50,
      },
    },
    kubernetes: { is: 'kubeconfig', path: kubeconfig },
    ...{ clock: systemClock, random: Math.random, log: silentLog },
  })
  onTestFinished(() => cloudcore.stop())
  return cloudcore
}

async function startNode(nodeName: string, linkPort: number | undefined, kubeconfig: string) {
  const cloud = `mqtts://127.0.0.1:${linkPort}`
  const data = tempDir()
  // Whoever makes tokens is a person with rights of their own.
  const flags = ['create', '--node', nodeName, '--kubeconfig', kubeconfig, '--address', `127.0.0.1:${linkPort}`]
  const command = await eventually(() => tokenCommand(flags, { env: {}, now: Date.now(), note: () => {} }))
  const around = { env: {}, note: () => {}, stdin: () => '', signal: new AbortController().signal }
  await join([...command.trim().split(' ').slice(2), '--data', data], around)
  const edge = await startEdge({ form: 'here', nodeName, data, cloud })
  onTestFinished(() => edge.stop())
  return edge
}

/** What an administrator does before: `kubectl apply -k`, and a Node that is there already. */
async function prepare(kubeconfig: string): Promise<Api> {
  const kube = connect(kubeconfig, { embedded: true, stop: async () => {} })
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  for (const crd of deviceCrds()) expect((await kube.create(crds, crd)).code).toBe(201)
  const home: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kedge' } }
  expect((await kube.create('/api/v1/namespaces', home)).code).toBe(201)
  const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'edge-2' } }
  expect((await kube.create('/api/v1/nodes', node)).code).toBe(201)
  await kube.close()
  const api = new Api(kubeconfig)
  onTestFinished(() => api.close())
  return api
}

/** All that cloudcore does: nodes come, devices and pods are there, change and go. */
async function everything(server: FaultyKube, api: Api, guard: Guard): Promise<void> {
  const cloudcore = await startAsDeployed(server.kubeconfig)
  const edge = await startNode('edge-1', cloudcore.linkPort, server.behind)
  await startNode('edge-2', cloudcore.linkPort, server.behind)
  for (const name of ['edge-1', 'edge-2']) {
    await eventually(async () => conditionOf(await api.get(`nodes/${name}`), 'Ready')?.status === 'True')
  }

  for (const resource of ['devices/status.devices.kubeedge.io', 'pods/status']) guard.conflicts.add(resource)
  await api.create(roomModel(), room('kitchen', 'edge-1'), configMap('settings'))
  await api.create(podOn('web', 'edge-2', { configMap: 'settings' }))
  await eventually(async () => (await api.get('pods/default/web')).status.phase === 'Running')
  await api.remove('pods/default/web')
  await eventually(async () => (await api.find('pods/default/web')) === undefined)

  const device = await DeviceClient.connect(edge.mqttPort)
  const temperature = { actual: { value: '19' } }
  await eventually(async () => {
    await device.publish('$hw/events/device/default/kitchen/twin/update', { event_id: '', twin: { temperature } })
    return statusTwins(await api.get('devices/default/kitchen')).temperature?.reported === '19'
  })
  await eventually(async () => (await api.list('events')).length > 0)
  await announceDevices(device, api)
}

/** zigbee2mqtt at the node lists two devices, of which one is made, and then none. */
async function announceDevices(client: DeviceClient, api: Api): Promise<void> {
  const exposes = [{ type: 'numeric', name: 'temperature', property: 'temperature', access: 1 }]
  const listed = (name: string) => ({
    ieee_address: `0x${name}`,
    friendly_name: name,
    definition: { model: 'T1', vendor: 'Acme', exposes },
  })
  const proposed = async () => (await api.find('configmaps/kedge/discovered-edge-1'))?.data?.['devices.yaml']
  const announce = (names: string[]) => client.publish('zigbee2mqtt/bridge/devices', names.map(listed))
  await announce(['lamp', 'fan'])
  await eventually(async () => (await proposed())?.includes('name: edge-1-fan'))
  const manifests = parseAllDocuments(await proposed()).map((document) => document.toJS() as KubeObject)
  await api.create(...manifests.filter(({ metadata }) => metadata.name !== 'edge-1-fan'))
  // What is a device now is no longer proposed.
  await eventually(async () => !(await proposed())?.includes('name: edge-1-lamp'))
  await announce([])
  await eventually(async () => (await proposed()) === undefined)
}

test('cloudcore in a cluster has the rights that it needs, and no others', async () => {
  const server = await startFaultyKube()
  const api = await prepare(server.behind)
  const guard = new Guard(server)
  await everything(server, api, guard).catch((cause) => {
    throw new Error(`refused: ${guard.refused.join(', ') || 'nothing'}`, { cause })
  })
  const unused = () => rights.filter((right) => !guard.used.has(right))
  await eventually(() => unused().length === 0 || guard.refused.length > 0).catch(() => {})
  expect(guard.refused).toEqual([])
  expect(unused()).toEqual([])
})

test('the variables of the Deployment are settings of cloudcore, and its ports are those', async () => {
  const settings = await settingsOfTheDeployment()
  expect(kubernetesWay(settings, inPod)).toEqual({ is: 'in-cluster' })
  const { ports, volumeMounts } = container
  expect(ports).toContainEqual({ name: 'link', containerPort: settings.linkPort })
  expect(ports).toContainEqual({ name: 'metrics', containerPort: settings.metricsAddress?.port })
  expect([settings.linkHost, settings.metricsAddress?.host]).toEqual(['0.0.0.0', '0.0.0.0'])
  expect(volumeMounts.map(({ mountPath }: Body) => mountPath)).toEqual([settings.data])
})
