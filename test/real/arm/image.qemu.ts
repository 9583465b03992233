import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@kedge/shared/clock'
import { beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { root, version } from '../../../scripts/build.ts'
import { conditionOf, statusTwins } from '../../support/api.ts'
import { DeviceClient } from '../../support/device-client.ts'
import { eventually } from '../../support/eventually.ts'
import { JoinableCloud } from '../../support/joined.ts'
import { room, roomModel } from '../../support/manifests.ts'
import { makeArm64Images } from '../../support/shipping/arm64-image.ts'
import { DockerEngine } from '../../support/shipping/docker-engine.ts'
import { emulateArm64, withoutEmulation } from '../../support/shipping/emulation.ts'
import { whenFileIsOver } from '../../support/shipping/when-over.ts'
import { tempDir } from '../../support/temp-dir.ts'

const reason = withoutEmulation()
const patience = { within: 600_000, every: 250 }

// The image for arm64 boards as the Dockerfile makes it, built and run under emulation; only the base images are made here.
describe.skipIf(reason !== undefined)(`the image of edgecore for arm64${reason ? ` (${reason})` : ''}`, () => {
  let dir: string
  let engine: DockerEngine
  let cloud: JoinableCloud

  const whenOver = whenFileIsOver()
  const inspect = async (format: string, of = 'board') =>
    (await engine.docker('inspect', '--format', format, of)).trim()
  const kitchen = () => cloud.api.get('devices/default/kitchen')

  beforeAll(async () => {
    dir = tempDir(whenOver)
    cloud = await JoinableCloud.start(systemClock, whenOver)
    engine = await DockerEngine.start()
    whenOver(() => engine.stop())
    whenOver(await emulateArm64(engine.machine))
    await makeArm64Images(engine, dir)
  })

  /** What runs an image as docker-compose.yaml does, on a board that reaches cloudcore. */
  async function start(): Promise<void> {
    const [url = '', , token = ''] = await cloud.token()
    await engine.window(cloud.port)
    const folder = join(dir, 'token')
    mkdirSync(folder)
    writeFileSync(join(folder, 'token'), token)
    for (const path of [dir, folder, join(folder, 'token')]) chmodSync(path, 0o755)
    const settings = { JOIN_URL: url, KEDGE_NODE_NAME: 'board', KEDGE_RUNTIME: 'simulated' }
    const rights = [
      '--init',
      '--read-only',
      '--tmpfs',
      '/tmp',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges',
    ]
    await engine.docker(
      ...['run', '--detach', '--name', 'board', '--platform', 'linux/arm64', '--network', 'host', ...rights],
      // Sooner than a person would have it, and with the time that an emulated processor takes.
      ...['--health-interval', '5s', '--health-timeout', '120s', '--volume', `${folder}:/run/kedge:ro`],
      ...Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      'kedge/edgecore:arm64',
    )
  }

  test('is built, and is for arm64', async () => {
    const bases = ['NODE_IMAGE=kedge-test/arm64', 'BUILD_IMAGE=kedge-test/arm64-build', 'INSTALL=true']
    await engine.build(
      ...['--platform', 'linux/arm64', '--network', 'none', '--target', 'edgecore', '--tag', 'kedge/edgecore:arm64'],
      ...['--file', join(root, 'deploy/docker/Dockerfile'), ...bases.flatMap((base) => ['--build-arg', base]), root],
    )
    expect(await inspect('{{.Architecture}} {{.Config.User}}', 'kedge/edgecore:arm64')).toBe('arm64 65532:65532')
    const flags = ['--rm', '--platform', 'linux/arm64', '--network', 'none']
    expect((await engine.docker('run', ...flags, 'kedge/edgecore:arm64', '--version')).trim()).toBe(version())
  })

  test('joins, is in sync and healthy, answers its devices, and ends when it is told to', async () => {
    onTestFailed(async () => {
      process.stderr.write(await engine.docker('logs', '--tail', '30', 'board').catch(String))
    })
    await start()
    const node = await eventually(async () => {
      const found = await cloud.api.find('nodes/board')
      return conditionOf(found ?? {}, 'Ready')?.status === 'True' ? found : undefined
    }, patience)
    expect(node.status.nodeInfo).toMatchObject({ architecture: 'arm64', operatingSystem: 'linux' })
    await cloud.api.create(roomModel(), room('kitchen', 'board', { desired: { target: '20' } }))
    await eventually(async () => conditionOf(await kitchen(), 'Synced')?.status === 'True', patience)
    const device = await DeviceClient.connect(await engine.door(1883))
    const topic = '$hw/events/device/kitchen/twin/update'
    await device.subscribe(`${topic}/result`)
    await device.publish(topic, { event_id: 'one', twin: { temperature: { actual: { value: '19' } } } })
    await eventually(() => device.on(`${topic}/result`).find(({ body }) => body.event_id === 'one'), patience)
    await eventually(async () => statusTwins(await kitchen()).temperature?.reported === '19', patience)
    await eventually(async () => (await inspect('{{.State.Health.Status}}')) === 'healthy', patience)
    await engine.docker('stop', '--time', '60', 'board')
    // 137 is who has to be killed.
    expect(await inspect('{{.State.ExitCode}}')).toBe('0')
  })
})
