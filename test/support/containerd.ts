import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { methods } from '@kedge/edgecore/pods/cri/api'
import { CriClient } from '@kedge/edgecore/pods/cri/client'
import { eventually } from './eventually.ts'
import { busyboxPath, type OciImage, ociArchive, ociImage } from './oci-image.ts'
import { SmallDisk } from './small-disk.ts'
import { tempDir, type WhenOver } from './temp-dir.ts'

const programs = ['containerd', 'ctr', 'runc', 'ip', 'iptables']
const plugins = '/usr/lib/cni'

/** Why there can be no containerd of our own on this machine, or undefined. In CI there must be one. */
export function withoutContainerd(): string | undefined {
  const reason = lacking()
  if (reason !== undefined && process.env.CI) throw new Error(`${reason}: CI must run containers`)
  return reason
}

function lacking(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  const missing = programs.filter((name) => !folders.some((folder) => existsSync(join(folder, name))))
  if (missing.length > 0) return `${missing.join(', ')} not in PATH`
  if (!existsSync(join(plugins, 'bridge'))) return 'containernetworking-plugins is not installed'
  if (!existsSync(busyboxPath)) return 'busybox-static is not installed'
  return process.getuid?.() === 0 ? undefined : 'containers need root'
}

export interface ContainerdOptions {
  /** False: no CNI configuration, so that only the node's network is there. */
  network?: boolean
  /** Size of a disk of its own, in memory, for all that it keeps: `200m`. */
  disk?: string
}

/**
 * A containerd of the test's own: its folders, its socket, its bridge, and the image `kedge.test/busybox:1`. All of it
 * goes when the test is over, whatever its result.
 */
export class Containerd {
  readonly dir: string
  readonly socket: string
  /** Where its folder lies, if it was to have one of its own. */
  readonly disk: SmallDisk | undefined
  /** An image that is there from the beginning: it sleeps. */
  readonly image = 'kedge.test/busybox:1'
  readonly #bridge = `kdg${randomInt(1e9).toString(36)}`
  readonly #subnet = `10.${200 + randomInt(50)}.${randomInt(256)}.0/24`
  #child: ChildProcess | undefined

  private constructor(dir: string, disk: SmallDisk | undefined) {
    this.dir = dir
    this.disk = disk
    this.socket = join(dir, 'c.sock')
  }

  static async start(whenOver: WhenOver, { network = true, disk }: ContainerdOptions = {}): Promise<Containerd> {
    const dir = tempDir(whenOver)
    const containerd = new Containerd(dir, disk === undefined ? undefined : new SmallDisk(dir, disk, whenOver))
    whenOver(() => containerd.remove())
    containerd.#configure()
    if (network) containerd.setUpNetwork()
    await containerd.run()
    await containerd.import(ociImage(pause, { entrypoint: ['/bin/sleep', '999999999'] }), ociImage(containerd.image))
    return containerd
  }

  /** Starts the daemon, again after `kill`. */
  async run(): Promise<void> {
    const log = ['--config', join(this.dir, 'config.toml'), '--log-level', 'warn']
    const child = spawn('containerd', log, { stdio: ['ignore', 'ignore', 'ignore'], env: environment })
    this.#child = child
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`containerd ended with ${child.exitCode}`)
      return this.#ask((client) => client.call(methods.version, {}, 1000)).catch(() => undefined)
    })
  }

  /** Ends the daemon; what it started goes on. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  /**
   * Kills the processes of all containers with their guardians, as a power cut does, and the daemon first. What is kept
   * in memory goes: mounts, the network, the folder that lies in /run elsewhere.
   */
  async powerCut(): Promise<void> {
    await this.kill()
    this.#killShims()
    this.#unmount()
    this.#unlink()
    rmSync(join(this.dir, 'state'), { recursive: true, force: true })
  }

  async import(...images: readonly OciImage[]): Promise<void> {
    const path = join(this.dir, 'images.tar')
    writeFileSync(path, ociArchive(images))
    this.ctr('images', 'import', '--snapshotter', snapshotter(this.dir), path)
    rmSync(path)
    // The CRI hears of new images by an event.
    await eventually(async () => {
      const { images: all } = await this.#ask((client) => client.call(methods.listImages, {}))
      const names = new Set(all.flatMap(({ repo_tags }) => repo_tags))
      return images.every(({ name }) => names.has(name))
    })
  }

  ctr(...argv: string[]): string {
    return execFileSync('ctr', ['-a', this.socket, '-n', 'k8s.io', ...argv], { encoding: 'utf8', env: environment })
  }

  /** The process of a container, as this machine numbers it. */
  pidOf(id: string): number {
    const line = this.ctr('tasks', 'ls')
      .split('\n')
      .find((one) => one.startsWith(id))
    const pid = Number(line?.split(/\s+/)[1])
    if (!Number.isInteger(pid)) throw new Error(`no process in container ${id}`)
    return pid
  }

  setUpNetwork(): void {
    const bridge = { type: 'bridge', bridge: this.#bridge, isGateway: true, ipMasq: false, hairpinMode: true }
    const ipam = { type: 'host-local', dataDir: join(this.dir, 'ipam'), ranges: [[{ subnet: this.#subnet }]] }
    const routed = { ...bridge, ipam: { ...ipam, routes: [{ dst: '0.0.0.0/0' }] } }
    const ports = { type: 'portmap', capabilities: { portMappings: true } }
    const config = { cniVersion: '0.4.0', name: this.#bridge, plugins: [routed, ports] }
    writeFileSync(join(this.dir, 'cni', '10-test.conflist'), JSON.stringify(config))
  }

  /** Ends everything that runs here and takes it off the machine. */
  async remove(): Promise<void> {
    await this.#removeSandboxes().catch(() => {})
    await this.kill('SIGTERM')
    this.#killShims()
    this.#unmount()
    this.#unlink()
  }

  async #removeSandboxes(): Promise<void> {
    await this.#ask(async (client) => {
      const { items } = await client.call(methods.listSandboxes, {}, 5000)
      const remove = async (pod_sandbox_id: string) => {
        await client.call(methods.stopSandbox, { pod_sandbox_id }, 20_000)
        await client.call(methods.removeSandbox, { pod_sandbox_id }, 20_000)
      }
      await Promise.all(items.map(({ id }) => remove(id)))
    })
  }

  async #ask<T>(question: (client: CriClient) => Promise<T>): Promise<T> {
    const client = new CriClient(() => this.socket)
    return question(client).finally(() => client.close())
  }

  /** The shims of this containerd bear its socket in their command line; their containers are their children. */
  #killShims(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const argv = contentOf(`/proc/${pid}/cmdline`).split('\0')
      if (!argv[0]?.includes('containerd-shim') || !argv.includes(this.socket)) continue
      const children = contentOf(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean)
      for (const one of [...children, pid]) kill(Number(one))
    }
  }

  #unmount(): void {
    const points = contentOf('/proc/self/mounts')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
    for (const point of points.reverse()) {
      if (point.startsWith(`${this.dir}/`)) spawnSync('umount', ['-l', point], { stdio: 'ignore', env: environment })
    }
  }

  #unlink(): void {
    spawnSync('ip', ['link', 'delete', this.#bridge], { stdio: 'ignore', env: environment })
  }

  #configure(): void {
    mkdirSync(join(this.dir, 'cni'))
    writeFileSync(
      join(this.dir, 'config.toml'),
      `version = 2
root = "${join(this.dir, 'root')}"
state = "${join(this.dir, 'state')}"
[grpc]
  address = "${this.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pause}"
  # Without the right to lower the score of the OOM killer, no container could start.
  restrict_oom_score_adj = ${!mayAdjustOomScore()}
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plugins}"
    conf_dir = "${join(this.dir, 'cni')}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter(this.dir)}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = ${systemdOwnsCgroups()}
`,
    )
  }
}

const pause = 'kedge.test/pause:1'
const environment = { ...process.env, PATH: `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin` }

/** Overlays do not lie on overlays, as in a container. */
function snapshotter(dir: string): string {
  const overlay = 0x794c7630
  return statfsSync(dir).type === overlay ? 'native' : 'overlayfs'
}

/** With cgroups 2 under systemd, as distributions have them, systemd makes the cgroups of pods, too. */
function systemdOwnsCgroups(): boolean {
  return existsSync('/run/systemd/system') && existsSync('/sys/fs/cgroup/cgroup.controllers')
}

/** CAP_SYS_RESOURCE, of capabilities(7). */
function mayAdjustOomScore(): boolean {
  const [, hex = '0'] = /^CapEff:\s*([0-9a-f]+)/m.exec(contentOf('/proc/self/status')) ?? []
  return ((BigInt(`0x${hex}`) >> 24n) & 1n) === 1n
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}
