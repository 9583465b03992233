import { beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { type Api, conditionOf, statusTwins } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
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

const whenOver = whenFileIsOver()

beforeAll(async () => {
  dir = tempDir(whenOver)
  engine = await DockerEngine.start()
  whenOver(() => engine.stop())
  await engine.makeBaseImages()
  fleet = new ComposedFleet(engine)
  whenOver(async () => void (await fleet.compose('--profile', 'chaos', 'down', '--volumes').catch(() => {})))
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
  const [edge = ''] = edges
  expect(await fleet.reaches(edge, 'gate', 8883)).toBe('open')
  for (const [host, port] of [
    ['gate', 6443],
    ['cloudcore', 8883],
    ['cloudcore', 6443],
  ] as const) {
    expect([host, port, await fleet.reaches(edge, host, port)]).not.toEqual([host, port, 'open'])
  }
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

test('scaled to ten, cut, paused, killed and brought back: nothing lost, both sides agree', async () => {
  await fleet.compose('up', '--detach', '--no-recreate', '--scale', 'edge=10')
  await eventually(async () => (await readyNodes()).length === 10, patience)
  await eventually(async () => (await devicesAt('21')) === 10, patience)

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
  await fleet.compose('--profile', 'chaos', 'up', '--detach', '--no-recreate', '--scale', 'edge=10', 'chaos')
  const [chaos = ''] = await fleet.containers('chaos')
  await eventually(async () => /cut: .* \(\d+ links stood\)/.test(await fleet.docker('logs', chaos)), patience)
  await desireEverywhere('19')
  await eventually(async () => (await devicesAt('19')) === 10, patience)
})

test('down: each ends when it is told to, and nothing is left', async () => {
  await fleet.compose('--profile', 'chaos', 'stop', '--timeout', '60')
  const ids = await fleet.containers()
  // 137 is who ignores SIGTERM and is killed.
  const codes = words(await fleet.docker('inspect', '--format', '{{.State.ExitCode}}', ...ids))
  expect(codes).toEqual(ids.map(() => '0'))
  await fleet.compose('--profile', 'chaos', 'down', '--volumes')
  expect(await fleet.containers()).toEqual([])
  expect(words(await fleet.docker('volume', 'ls', '--quiet'))).toEqual([])
  expect(words(await fleet.docker('network', 'ls', '--quiet', '--filter', 'type=custom'))).toEqual([])
  await engine.stop()
  expect(engine.left()).toEqual([])
})
