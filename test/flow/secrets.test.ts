import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '@kedge/shared/must'
import { expect, test } from 'vitest'
import { conditionOf } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet, type FleetNode } from '../support/fleet.ts'

const plain = 'correct horse battery staple'
const coded = Buffer.from(plain).toString('base64')

const secret = (name: string, namespace = 'default', type = 'Opaque') => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  type,
  data:
    type === 'Opaque' ? { password: coded } : { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') },
})

function pod(name: string, nodeName: string, spec: object, namespace = 'default') {
  const { container, ...rest } = spec as { container?: object }
  const containers = [{ name: 'main', image: 'app:1', ...container }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: { nodeName, containers, ...rest } }
}

const mount = { container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] } }

/** Every way in which a pod mentions a Secret, by the Secret's name. */
const ways: Record<string, object> = {
  env: { container: { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'env', key: 'password' } } }] } },
  'env-from': { container: { envFrom: [{ secretRef: { name: 'env-from' } }] } },
  volume: { ...mount, volumes: [{ name: 'v', secret: { secretName: 'volume' } }] },
  projected: { ...mount, volumes: [{ name: 'v', projected: { sources: [{ secret: { name: 'projected' } }] } }] },
  pull: { imagePullSecrets: [{ name: 'pull' }] },
}

const secretsOf = async (node: FleetNode) => (await node.keys()).filter((key) => key.startsWith('secrets/'))

/** Files of a node's data folder that hold a text; those in the volumes of pods are meant to. */
function filesWith(data: string, text: string): string[] {
  const files = readdirSync(data, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
  const names = files.map(({ parentPath, name }) => join(parentPath, name)).filter((name) => !name.includes('/pods/'))
  return names.filter((name) => readFileSync(name).includes(text))
}

test('a Secret is where a pod uses it and nowhere else, encrypted, and goes with the last such pod', async () => {
  const fleet = await Fleet.start({ nodes: ['edge-1', 'edge-2'] })
  const { api } = fleet
  const [one, two] = [fleet.node('edge-1'), fleet.node('edge-2')]
  const names = Object.keys(ways)
  await api.create(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'nobodys', namespace: 'default' },
      data: { password: coded },
    },
    ...names.map((name) => secret(name, 'default', name === 'pull' ? 'kubernetes.io/dockerconfigjson' : 'Opaque')),
    // Of the same name in another namespace: no pod there is on edge-1.
    ...[secret('env', 'kube-system'), secret('volume', 'kube-system')],
    ...Object.entries(ways).map(([name, spec]) => pod(name, 'edge-1', spec)),
    pod('elsewhere', 'edge-2', ways.env ?? {}, 'kube-system'),
  )
  const wanted = names.map((name) => `secrets/default/${name}`).sort()
  await eventually(async () => (await secretsOf(one)).length === wanted.length)
  await eventually(async () => (await secretsOf(two)).length === 1)
  await fleet.level()
  expect(await secretsOf(one)).toEqual(wanted)
  expect(await secretsOf(two)).toEqual(['secrets/kube-system/env'])
  const [held] = await two.get('secrets', '--show-secrets')
  expect(held.data).toEqual({ password: coded })

  await eventually(async () => conditionOf(await api.get('nodes/edge-1'), 'SecretsEncrypted')?.status === 'True')
  for (const { data } of fleet.nodes) {
    for (const text of [plain, coded]) expect(filesWith(data, text)).toEqual([])
  }
  for (const lines of [fleet.cloudLog, one.log, two.log]) {
    for (const text of [plain, coded]) expect(JSON.stringify(lines)).not.toContain(text)
  }

  // Another pod needs one of them still.
  await api.create(pod('also', 'edge-1', ways.env ?? {}))
  await eventually(async () => (await one.keys()).includes('pods/default/also'))
  for (const name of names) await api.remove(`pods/default/${name}`)
  await eventually(async () => (await secretsOf(one)).length === 1)
  expect(await secretsOf(one)).toEqual(['secrets/default/env'])
  await api.remove('pods/default/also')
  await eventually(async () => (await one.keys()).length === 0)
}, 180_000)

test('a node that has lost its key says so, and has its Secrets again when it has a link', async () => {
  const fleet = await Fleet.start()
  const node = fleet.node('edge-1')
  await fleet.api.create(secret('env'), pod('web', 'edge-1', ways.env ?? {}))
  await eventually(async () => (await fleet.api.get('pods/default/web')).status.phase === 'Running')
  const { containerStatuses } = (await fleet.api.get('pods/default/web')).status
  node.link.cut()
  await node.stop()
  rmSync(join(node.data, 'secrets.key'))
  await node.start()
  expect(await node.keys()).toEqual(['pods/default/web'])
  await eventually(() => node.log.find(({ msg }) => msg === 'secrets key is another, secrets are fetched again'))
  node.link.heal()
  await eventually(async () => (await node.keys()).length === 2)
  await fleet.level()
  expect((await node.get('secrets', '--show-secrets'))[0].data).toEqual({ password: coded })
  const container = must(containerStatuses[0], 'container')
  const again = (await fleet.api.get('pods/default/web')).status.containerStatuses[0]
  expect([again.containerID, again.restartCount]).toEqual([container.containerID, 0])
})
