import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startCloudcore } from '@kedge/cloudcore/cloudcore'
import { startEdgecore } from '@kedge/edgecore/edgecore'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Api, conditionOf, statusTwins } from '../support/api.ts'
import { DeviceClient } from '../support/device-client.ts'
import { eventually } from '../support/eventually.ts'
import { linkBrokerMissing, restartLinkBroker, startLinkBroker } from '../support/link-broker.ts'
import { room, roomModel } from '../support/manifests.ts'
import { kubeconfigOf } from '../support/members.ts'
import { tempDir } from '../support/temp-dir.ts'

const kitchen = 'devices/default/kitchen'
const update = '$hw/events/device/default/kitchen/twin/update'
const common = { clock: systemClock, random: Math.random, log: silentLog }

function passwordFile(user: string): string {
  const path = join(tempDir(), 'password')
  writeFileSync(path, `${user}\n`)
  return path
}

/** cloudcore that reaches its nodes by the broker at `url`. */
async function startCloud(data: string, url: string) {
  const cloud = await startCloudcore({
    settings: {
      ...{ data, apiHost: '127.0.0.1', apiPort: 0, writeKubeconfig: undefined, linkHost: '127.0.0.1', linkPort: 0 },
      linkPlain: true,
      ...{ statusInterval: 50, defaultAutonomy: 3_600_000, installCrds: true, metricsAddress: null },
      ...{ linkBroker: url, linkBrokerUsername: 'cloudcore', linkBrokerPasswordFile: passwordFile('cloudcore') },
    },
    kubernetes: { is: 'standalone' },
    ...common,
  })
  onTestFinished(() => cloud.stop())
  const api = new Api(kubeconfigOf(data))
  onTestFinished(() => api.close())
  return { cloud, api }
}

async function startEdge(cloud: string) {
  const edge = await startEdgecore({
    settings: {
      ...{ nodeName: 'edge-1', cloud, data: tempDir(), mqttHost: '127.0.0.1', mqttPort: 0, metricsAddress: null },
      cloudPasswordFile: passwordFile('edge-1'),
      runtime: 'simulated',
    },
    ...common,
  })
  onTestFinished(() => edge.stop())
  return edge
}

describe.skipIf(linkBrokerMissing !== undefined)(
  `the whole system over mosquitto (${linkBrokerMissing ?? '2'})`,
  () => {
    test('goes on where it was when mosquitto is killed, and when cloudcore is restarted behind it', async () => {
      const broker = await startLinkBroker(['cloudcore', 'edge-1'])
      onTestFinished(() => broker.down())
      const [data, url] = [tempDir(), `mqtt://127.0.0.1:${broker.port}`]
      const { cloud, api } = await startCloud(data, url)
      const edge = await startEdge(url)
      const device = await DeviceClient.connect(edge.mqttPort)
      await device.subscribe(`${update}/#`)
      const delta = (value: string) =>
        eventually(() => device.on(`${update}/delta`).some(({ body }) => body.delta?.target === value))
      const report = (value: string) => device.publish(update, { twin: { target: { actual: { value } } } })
      const shown = (value: string, at = api) =>
        eventually(async () => statusTwins(await at.get(kitchen)).target?.reported === value)

      await api.create(roomModel(), room('kitchen', 'edge-1', { desired: { target: '20' } }))
      await delta('20')
      await report('20')
      await shown('20')

      // While the broker is away both sides go on.
      await broker.down('SIGKILL')
      await eventually(() => !edge.inSync)
      await api.desire(kitchen, { target: '21' })
      await report('19')
      await restartLinkBroker(broker)
      await delta('21')
      await shown('19')

      await cloud.stop()
      await report('18')
      const again = await startCloud(data, url)
      await shown('18', again.api)
      await again.api.desire(kitchen, { target: '22' })
      await delta('22')
      await report('22')
      await shown('22', again.api)
      expect(conditionOf(await again.api.get('nodes/edge-1'), 'Ready')?.status).toBe('True')
    })
  },
)
