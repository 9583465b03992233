import { execFile, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { get } from '@kedge/edgecore/cli/get'
import { logs } from '@kedge/edgecore/cli/logs'
import { startImageCare } from '@kedge/edgecore/node/image-care'
import { startLogRotation } from '@kedge/edgecore/node/log-rotation'
import { CriRuntime } from '@kedge/edgecore/pods/cri/engine'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundlePath } from '../../../scripts/build.ts'
import { afterThese } from '../../support/after-these.ts'
import { Containerd, withoutContainerd } from '../../support/containerd.ts'
import { eventually } from '../../support/eventually.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { ociImage } from '../../support/oci-image.ts'
import { type Ended, type RunningProgram, runProgram, startProgram } from '../../support/programs.ts'

const reason = withoutContainerd()

/** A node on its own, without any cloud: what it runs comes from its folder of static pods. */
describe.skipIf(reason !== undefined)(`a board with a real containerd (${reason ?? 'as root'})`, () => {
  const whenOver = afterThese()
  let containerd: Containerd
  let data: string
  let folder: string
  let edgecore: RunningProgram

  const start = async () => {
    const engine = ['--runtime', 'cri', '--runtime-endpoint', containerd.socket, '--pod-logs', join(data, 'logs')]
    const flags = [...['--node-name', 'board', '--data', data, '--mqtt-port', '0', '--static-pods', folder], ...engine]
    edgecore = await startProgram('edgecore', flags, { whenOver })
    await edgecore.line('edgecore started')
  }

  beforeAll(async () => {
    containerd = await Containerd.start(whenOver)
    data = join(containerd.dir, 'node')
    folder = join(containerd.dir, 'static')
    mkdirSync(folder)
    run('web', 'echo began $(date +%s%N); trap "exit 3" TERM; while true; do sleep 0.1; done')
    run('talks', 'for i in 1 2 3; do echo line $i; echo wrong $i >&2; done; while true; do sleep 0.1; done')
    await start()
    await running('web')
    await running('talks')
  })

  /** Puts a pod on the node's network into the folder. */
  function run(name: string, script: string): void {
    const web = { name: 'main', image: containerd.image, command: ['/bin/sh', '-c', script] }
    const spec = { hostNetwork: true, terminationGracePeriodSeconds: 2, containers: [web] }
    writeFileSync(
      join(folder, `${name}.json`),
      JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }),
    )
  }

  const onBoard = (...argv: string[]): Promise<Ended> => {
    const split = argv.indexOf('--') === -1 ? argv.length : argv.indexOf('--')
    return runProgram('edgecore', [...argv.slice(0, split), '--data', data, ...argv.slice(split)])
  }

  /** What `edgecore logs` writes. */
  const logsOf = async (...argv: string[]): Promise<string> => {
    let out = ''
    const write = (text: string) => {
      out += text
    }
    const around = { env: {}, write, signal: new AbortController().signal, now: Date.now() }
    await logs([...argv, '--data', data], around)
    return out
  }

  interface Shown {
    uid: string
    status: { phase?: string; containerStatuses?: { containerID?: string; restartCount: number; ready: boolean }[] }
  }

  const getJson = async (...argv: string[]) => {
    const { out } = await get([...argv, '--data', data, '-o', 'json'], { env: {}, now: Date.now() })
    return JSON.parse(out)
  }

  async function shown(name: string): Promise<Shown> {
    const { metadata, status } = await getJson('pod', `${name}-board`)
    return { uid: metadata.uid, status }
  }

  const running = (name: string) =>
    eventually(async () => {
      const [container] = (await shown(name)).status.containerStatuses ?? []
      return container?.ready === true && container
    })

  test('logs: all of it, its end, with times, and what is younger', async () => {
    const all = await eventually(async () => {
      const out = await logsOf('talks-board')
      return out.split('\n').length === 7 && out
    })
    expect(all.split('\n').filter((line) => line.startsWith('line'))).toEqual(['line 1', 'line 2', 'line 3'])
    const out = await logsOf('talks-board', '--tail', '2', '--timestamps')
    expect(out).toMatch(/^\d{4}-\S+ (line|wrong) \d\n\d{4}-\S+ (line|wrong) 3\n$/)
    expect(await logsOf('default/talks-board', '--since', '1h')).toBe(all)
    expect(await onBoard('logs', 'talks-board', '-c', 'other')).toMatchObject({
      code: 2,
      told: 'edgecore: pod default/talks-board has no container "other"; it has main\n',
    })
    await expect(logsOf('talks-board', '--previous')).rejects.toThrow('was not restarted')
  })

  test('exec: output, exit code, input and a terminal', async () => {
    const both = await onBoard('exec', 'web-board', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7')
    expect(both).toEqual({ code: 7, out: 'out\n', told: 'err\n' })
    const none = await onBoard('exec', 'web-board', '--', '/no/such/program')
    expect(none).toMatchObject({ code: 2, told: expect.stringMatching(/^edgecore: .*\/no\/such\/program.*\n$/) })
    const argv = [bundlePath('edgecore'), 'exec', 'web-board', '-i', '--data', data, '--', 'head', '-n', '1']
    const head = spawn(process.execPath, argv)
    let read = ''
    head.stdout.setEncoding('utf8').on('data', (text: string) => {
      read += text
    })
    head.stdin.write('hello\n')
    expect(await new Promise((resolve) => head.once('close', resolve))).toBe(0)
    expect(read).toBe('hello\n')
    const command = `${process.execPath} ${bundlePath('edgecore')} exec web-board -t --data ${data} -- test -t 1`
    await promisify(execFile)('script', ['-qec', command, '/dev/null'])
  })

  test('a full disk: logs are rotated and lose nothing, images go that no pod needs', async () => {
    await containerd.import(ociImage('kedge.test/spare:1', { entrypoint: ['/bin/spare'] }))
    const logRoot = join(data, 'logs')
    const common = { clock: systemClock, log: silentLog, scheduler: new HandClock() }
    const runtime = new CriRuntime({ endpoint: () => containerd.socket, logRoot, ...common })
    const rotation = startLogRotation({ ...common, runtime, folder: logRoot, limits: { bytes: 10, files: 3 } })
    const before = await logsOf('talks-board')
    await rotation.look()
    await onBoard('exec', 'talks-board', '--', 'sh', '-c', 'echo more > /proc/1/fd/1')
    await eventually(async () => (await logsOf('talks-board')) === `${before}more\n`)
    const room = async () => ({ total: 100, available: 0 })
    const wanted = () => [containerd.image]
    const limits = { high: 85, low: 80, minAgeMs: 0 }
    const care = startImageCare({ ...common, runtime, wanted, room, limits })
    await care.look()
    const names = (await runtime.images()).flatMap((image) => image.names)
    expect(names.sort()).toEqual([containerd.image, 'kedge.test/pause:1'])
    await Promise.all([rotation.stop(), care.stop()])
    runtime.close()
  })

  test('restart: the same pod in a new container, whose log before can be read', async () => {
    const before = await running('web')
    const began = await logsOf('web-board')
    expect((await onBoard('restart', 'web-board')).out).toContain('container main of pod web-board was stopped')
    const after = await eventually(async () => {
      const now = await running('web')
      return now.containerID !== before.containerID && now
    })
    expect(after.restartCount).toBe(before.restartCount + 1)
    expect(await logsOf('web-board', '--previous')).toBe(began)
  })

  test('a drill: everything comes back, and edgecore that is killed takes over what runs', async () => {
    const { code, out } = await onBoard('drill', '--yes')
    expect(out).toContain('Everything came back.')
    expect(code).toBe(0)
    const ids = [await running('web'), await running('talks')].map(({ containerID }) => containerID)
    await edgecore.kill('SIGKILL')
    await start()
    expect([await running('web'), await running('talks')].map(({ containerID }) => containerID)).toEqual(ids)
  })

  test('after a power cut, with nobody to ask, everything comes back; the node says what it has', async () => {
    const before = await running('web')
    await edgecore.kill('SIGKILL')
    await containerd.powerCut()
    await containerd.run()
    await start()
    const after = await eventually(async () => {
      const now = await running('web')
      return now.containerID !== before.containerID && now
    })
    expect(after.restartCount).toBe(before.restartCount + 1)
    await running('talks')
    const { report } = await eventually(async () => {
      const { items } = await getJson('outbox')
      const node = items.find((one: { subject: string }) => one.subject === 'node')
      const ready = (node?.report.status.conditions ?? []).find((one: { type: string }) => one.type === 'OfflineReady')
      return ready?.status === 'True' && node
    })
    expect(report.status.nodeInfo.containerRuntimeVersion).toMatch(/^containerd:\/\/\d/)
    const names = report.status.images.flatMap((image: { names: string[] }) => image.names)
    expect(names).toContain(containerd.image)
  })

  test('a file that goes takes its pod with it, and what it left behind', async () => {
    run('short', 'while true; do sleep 0.1; done')
    await running('short')
    const { uid } = await shown('short')
    writeFileSync(join(folder, 'short.json'), '{}')
    expect(await eventually(async () => edgecore.lines.some(({ msg }) => msg === 'static pod refused'))).toBe(true)
    await running('short')
    run('short', 'exit')
    await eventually(async () => (await shown('short')).uid !== uid)
    rmSync(join(folder, 'short.json'))
    await eventually(async () => (await getJson('pods')).items.length === 2)
    await eventually(() => !readdirSync(join(data, 'pods')).includes(uid))
    await eventually(() => !readdirSync(join(data, 'logs')).some((name) => name.includes('short')))
  })
})
