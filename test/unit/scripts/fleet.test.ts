import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { startOf } from '@kedge/shared/load-settings'
import { describe, expect, onTestFinished, test } from 'vitest'
import { root } from '../../../scripts/build.ts'
import { readKubeconfig } from '../../../scripts/fleet/kube.ts'
import { clash, commandOf, fleetProgram, type Layout, layoutOf } from '../../../scripts/fleet/layout.ts'
import { readyAndConnected } from '../../../scripts/fleet/nodes.ts'
import { checkPorts } from '../../../scripts/fleet/ports.ts'
import { welcome } from '../../../scripts/fleet/welcome.ts'
import { tempDir } from '../../support/temp-dir.ts'

async function layout(...argv: string[]): Promise<Layout> {
  const started = await startOf(fleetProgram, { argv, env: { KEDGE_LOG_LEVEL: 'debug' }, read: () => '' })
  if (started.is !== 'run') throw new Error(started.text)
  return layoutOf(started.values)
}

describe('the layout', () => {
  test('gives every process a folder and ports of its own', async () => {
    const { cloudcore, edges } = await layout('--nodes=3', '--port-base=2883', '--link-port=2000', '--dir=/x')
    expect(cloudcore.settings).toEqual({
      standalone: true,
      'api-port': 6443,
      'link-port': 2000,
      'metrics-address': '127.0.0.1:9091',
      'write-kubeconfig': '/x/kubeconfig',
      data: '/x/cloudcore',
    })
    expect(edges.map(({ settings }) => settings)).toEqual(
      [1, 2, 3].map((n) => ({
        'node-name': `edge-${n}`,
        cloud: 'mqtts://127.0.0.1:2000',
        'mqtt-port': 2882 + n,
        runtime: 'simulated',
        data: `/x/edge-${n}`,
      })),
    )
  })

  test('of the defaults has no clash', async () => {
    expect(clash(await layout())).toBeUndefined()
  })

  test.each([
    [['--link-port=1884'], "cloudcore's MQTT broker and the MQTT broker of edge-2 would share port 1884"],
    [
      ['--port-base=65535'],
      'the MQTT broker of edge-2 would need port 65536, which there is not: choose with --port-base',
    ],
    [['--api-port=0'], 'the Kubernetes API would need port 0'],
  ])('of %j is refused', async (argv, expected) => {
    expect(clash(await layout(...argv))).toContain(expected)
  })

  test('names the command that starts a process again', async () => {
    const { edges } = await layout(`--dir=${root}/my fleet`)
    const command = edges[0] && commandOf(edges[0], root)
    expect(command).toBe(`node dist/edgecore.js --config 'my fleet/edge-1.yaml' >> 'my fleet/logs/edge-1.log' 2>&1 &`)
  })

  test('is told in words', async () => {
    const text = welcome(await layout(`--dir=${root}/.kedge`), root)
    expect(text).toContain('edge-2           devices at mqtt://127.0.0.1:1884, log .kedge/logs/edge-2.log')
    expect(text).toContain(`export KUBECONFIG=${root}/.kedge/kubeconfig`)
    expect(text).toContain('node dist/edgecore.js get twins --data .kedge/edge-1')
  })
})

test('a port in use is told with the flag that moves it', async () => {
  const server = createServer()
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const { edges } = await layout(`--port-base=${port}`, '--nodes=1')
  await expect(checkPorts(edges)).rejects.toThrow(
    `port ${port} for the MQTT broker of edge-1 is in use: choose another with --port-base`,
  )
})

test.each([
  [{ Ready: 'True' }, true],
  [{ Ready: 'True', Connected: 'True' }, true],
  [{ Ready: 'True', Connected: 'False' }, false],
  [{ Ready: 'Unknown', Connected: 'True' }, false],
  [{}, false],
])('a node with %j is up: %j', (conditions, expected) => {
  const list = Object.entries(conditions).map(([type, status]) => ({ type, status }))
  expect(readyAndConnected({ status: { conditions: list } })).toBe(expected)
})

describe('a kubeconfig', () => {
  const config = (user: string, cluster: string) => `
current-context: here
contexts: [{name: there, context: {cluster: x, user: x}}, {name: here, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: ${cluster}}]
users: [{name: u, user: ${user}}]
`
  const read = (text: string) => {
    const path = join(tempDir(), 'kubeconfig')
    writeFileSync(path, text)
    return readKubeconfig(path)
  }

  test('yields server, CA and token of its current context', () => {
    const access = read(config('{token: t}', '{server: "https://127.0.0.1:1", certificate-authority-data: Y2E=}'))
    expect(access).toMatchObject({ server: 'https://127.0.0.1:1', token: 't', ca: Buffer.from('ca') })
  })

  test('is refused when its context is not complete', () => {
    expect(() => read('current-context: x\ncontexts: []\nclusters: []\nusers: []')).toThrow('is not complete')
    expect(() => read(config('{}', '{server: nonsense}'))).toThrow()
  })
})
