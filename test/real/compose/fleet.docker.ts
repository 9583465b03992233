import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, onTestFailed, onTestFinished, test } from 'vitest'
import { root } from '../../../scripts/build.ts'
import { type Api, conditionOf, statusTwins } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
import { blocksOf, isAsShown } from '../../support/readme/blocks.ts'
import { DockerEngine } from '../../support/shipping/docker-engine.ts'
import { whenFileIsOver } from '../../support/shipping/when-over.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { ComposedFleet, words } from './fleet.ts'

// The file as shipped, on a real engine; only the base image is made here, where no registry may be reached. One fleet
// for all tests: each goes on where the one before has ended.
let dir: string
let engine: DockerEngine
let fleet: ComposedFleet
let api: Api

const patience = { within: 180_000, every: 250 }

const shown = blocksOf(readFileSync(join(root, 'README.md'), 'utf8')).filter(
  ({ place }) => place === 'Simulate edge nodes',
)

const whenOver = whenFileIsOver()

beforeAll(async () => {
  dir = tempDir(whenOver)
  engine = await DockerEngine.start()
  whenOver(() => engine.stop())
  await engine.makeBaseImages()
  fleet = new ComposedFleet(engine, dir)
  await fleet.compose('build')
})

let failed = false

beforeEach(({ skip }) => {
  // There is nothing to go on with.
  if (failed) skip()
  onTestFailed(async () => {
    failed = true
    process.stderr.write(await fleet.compose('ps', '--all').catch(() => ''))
    process.stderr.write(await fleet.compose('logs', '--no-color', '--tail', '12').catch(() => ''))
  })
})

/** Names of the nodes that are Ready and connected. */
async function readyNodes(): Promise<string[]> {
  const nodes = await api.list('nodes')
  const holds = (node: unknown, type: string) => conditionOf(node, type)?.status
  return nodes
    .filter((node) => holds(node, 'Ready') === 'True' && holds(node, 'Connected') !== 'False')
    .map((node) => node.metadata.name)
}

/** Devices whose reported target is `value`. */
async function devicesAt(value: string): Promise<number> {
  const devices = await api.list('devices')
  return devices.filter((device) => statusTwins(device).target?.reported === value).length
}

/** How the ports of these hosts answer an edge node. */
async function answers(ports: readonly (readonly [string, number])[]): Promise<Record<string, string>> {
  const [edge = ''] = await fleet.containers('edge')
  const entries = ports.map(async ([host, port]) => [`${host}:${port}`, await fleet.reaches(edge, host, port)])
  return Object.fromEntries(await Promise.all(entries))
}

const isOpen = expect.stringMatching('open')
const isNot = expect.not.stringMatching('open')

async function desireEverywhere(value: string): Promise<void> {
  for (const { metadata } of await api.list('devices'))
    await api.desire(`devices/default/${metadata.name}`, { target: value })
}

test('up: three nodes join by themselves, each with a virtual thermostat, and reach one port', async () => {
  await fleet.compose('up', '--detach')
  api = await fleet.api(dir)
  whenOver(() => api.close())
  await eventually(async () => (await readyNodes()).length === 3, patience)
  await eventually(async () => (await devicesAt('21')) === 3, patience)
  const edges = await fleet.containers('edge')
  // A node is named after its container, so that a person finds one by the other.
  expect((await readyNodes()).toSorted()).toEqual(edges.map((id) => id.slice(0, 12)).toSorted())
  expect(
    await answers([
      ['gate', 8883],
      ['gate', 6443],
      ['cloudcore', 8883],
      ['cloudcore', 6443],
    ]),
  ).toEqual({ 'gate:8883': isOpen, 'gate:6443': isNot, 'cloudcore:8883': isNot, 'cloudcore:6443': isNot })
})

test('an edge node does not reach the machine that it is on', async () => {
  const over = new AbortController()
  onTestFinished(() => over.abort())
  const port = await fleet.listener(over.signal)
  const [ours = '', clouds = ''] = await Promise.all(['edge', 'cloud'].map((name) => fleet.gateway(name)))
  const [gate = ''] = await fleet.containers('gate')
  // The listener is there: who may reach it does.
  expect(await fleet.reaches(gate, clouds, port)).toBe('open')
  expect(
    await answers([
      [ours, port],
      [clouds, port],
    ]),
  ).toEqual({ [`${ours}:${port}`]: isNot, [`${clouds}:${port}`]: isNot })
})

test('what runs has no rights, writes nothing outside its volume, and is healthy', async () => {
  await eventually(async () => {
    const ids = await fleet.containers()
    const states = words(
      await fleet.docker(
        'inspect',
        '--format',
        '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}',
        ...ids,
      ),
    )
    return states.filter((state) => state === 'healthy').length === 4
  }, patience)
  for (const service of ['cloudcore', 'gate', 'devices', 'edge']) {
    const [id = ''] = await fleet.containers(service)
    const format = '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Privileged}}'
    expect([service, (await fleet.docker('inspect', '--format', format, id)).trim()]).toEqual([
      service,
      '65532:65532 true false',
    ])
  }
})

test('as the README shows it: scaled, cut, paused, cloudcore killed, all brought back', async () => {
  const [up, away, back] = shown
  if (up === undefined || away === undefined || back === undefined) throw new Error('README.md shows no fleet')
  await fleet.asShown(up, dir)
  await eventually(async () => (await readyNodes()).length === 10, patience)
  await eventually(async () => (await devicesAt('21')) === 10, patience)
  await fleet.asShown(away, dir)
  await eventually(async () => isAsShown(await fleet.asShown(back, dir), back.shown ?? '', false), patience)
  await eventually(async () => (await devicesAt('23')) === 10, patience)
})

test('each in trouble of its own, and cloudcore killed meanwhile: nothing lost, both sides agree', async () => {
  const [cut = '', paused = '', killed = ''] = await fleet.containers('edge')
  const [cloudcore = ''] = await fleet.containers('cloudcore')
  await fleet.docker('network', 'disconnect', 'kedge-test_edge', cut)
  await fleet.docker('pause', paused)
  await fleet.docker('kill', killed)
  await desireEverywhere('25')
  await eventually(async () => (await devicesAt('25')) === 7, patience)
  await fleet.docker('kill', cloudcore)
  await fleet.docker('network', 'connect', 'kedge-test_edge', cut)
  await fleet.docker('unpause', paused)
  await fleet.docker('start', killed, cloudcore)
  await eventually(async () => (await devicesAt('25')) === 10, patience)
  await eventually(async () => (await readyNodes()).length === 10, patience)
})

test('chaos says what it does, and all converge in it', async () => {
  await fleet.compose('--profile', 'chaos', 'up', '--detach', '--no-recreate', 'chaos')
  const [chaos = ''] = await fleet.containers('chaos')
  await eventually(async () => /cut: .* \(\d+ links stood\)/.test(await fleet.docker('logs', chaos)), patience)
  await desireEverywhere('19')
  await eventually(async () => (await devicesAt('19')) === 10, patience)
})

test('down: each ends when it is told to, and nothing is left', async () => {
  await fleet.compose('--profile', 'chaos', 'stop', '--timeout', '60')
  const ids = await fleet.containers()
  expect(ids).toHaveLength(14)
  // 137 is who ignores SIGTERM and is killed.
  const codes = words(await fleet.docker('inspect', '--format', '{{.State.ExitCode}}', ...ids))
  expect(codes).toEqual(ids.map(() => '0'))
  await fleet.compose('--profile', 'chaos', 'down', '--volumes')
  await fleet.isGone()
})

test('mosquitto: nodes join at the one port, and speak to cloudcore through the broker', async () => {
  const [, , , up] = shown
  if (up === undefined) throw new Error('README.md shows no profile')
  fleet.use('mosquitto')
  await fleet.asShown(up, dir)
  api = await fleet.api(dir)
  whenOver(() => api.close())
  await eventually(async () => (await readyNodes()).length === 3, patience)
  await eventually(async () => (await devicesAt('21')) === 3, patience)
  expect(
    await answers([
      ['gate', 8883],
      ['broker', 8883],
      ['mosquitto', 8883],
      ['cloudcore', 8883],
    ]),
  ).toEqual({ 'gate:8883': isOpen, 'broker:8883': isOpen, 'mosquitto:8883': isNot, 'cloudcore:8883': isNot })
})

test('mosquitto killed and brought back: nothing lost; who is revoked is not listed', async () => {
  const [broker = ''] = await fleet.containers('mosquitto')
  await fleet.docker('kill', broker)
  await desireEverywhere('24')
  await eventually(async () => (await readyNodes()).length === 0, patience)
  await fleet.docker('start', broker)
  await eventually(async () => (await devicesAt('24')) === 3, patience)
  await eventually(async () => (await readyNodes()).length === 3, patience)
  const [node = ''] = await readyNodes()
  const listed = async () => (await fleet.docker('exec', broker, 'cat', '/etc/mosquitto/kedge.acl')).includes(node)
  expect(await listed()).toBe(true)
  const kubeconfig = '/var/lib/kedge/cloudcore/kubeconfig'
  const revoke = ['node', '/opt/kedge/cloudcore.js', 'node', 'revoke', node, '--kubeconfig', kubeconfig]
  await fleet.compose('exec', '-T', 'cloudcore', ...revoke)
  await eventually(async () => !(await listed()), patience)
  await eventually(async () => (await readyNodes()).length === 2, patience)
  await fleet.compose('down', '--volumes')
  await fleet.isGone()
  await engine.stop()
  expect(engine.left()).toEqual([])
})
