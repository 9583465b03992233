import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../eventually.ts'
import { debianRoot } from './debian.ts'
import { run } from './run.ts'

/** What it has beside the least that Debian installs. */
export const machinePackages = 'systemd,systemd-sysv,libstdc++6'

/** A bare Debian 12 with systemd, booted in a namespace of its own (systemd-nspawn), with the network of this machine. */
export class DebianMachine {
  /** Where its files are. */
  readonly root: string
  readonly #nspawn: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(root: string) {
    this.root = root
    const flags = ['--quiet', '--register=no', '--keep-unit', '--console=pipe', '--timezone=off', '--resolv-conf=off']
    // The kernel ends it when the test is killed, and its processes with it: they would keep ports of this machine.
    const command = ['--pdeathsig', 'KILL', 'systemd-nspawn', ...flags, '--boot', '-D', root]
    this.#nspawn = spawn('setpriv', command, { stdio: ['ignore', 'ignore', 'ignore'] })
    // So does the end of Vitest, which the process of a test can outlive.
    process.once('disconnect', () => this.#nspawn.kill('SIGKILL'))
    this.#ended = once(this.#nspawn, 'close')
    this.#nspawn.on('error', () => {})
  }

  /** Boots one whose files lie in `dir`. It needs root, debootstrap and systemd-container. */
  static async boot(dir: string): Promise<DebianMachine> {
    const root = join(dir, 'root')
    await run('cp', ['-a', await debianRoot(machinePackages), root])
    const machine = new DebianMachine(root)
    await eventually(() => machine.run('systemctl is-system-running --wait || true').then(Boolean), {
      within: 120_000,
      every: 250,
    })
    return machine
  }

  /** Runs a line of shell as root in it. Resolves with what it wrote to standard output. */
  async run(line: string): Promise<string> {
    const children = readFileSync(`/proc/${this.#nspawn.pid}/task/${this.#nspawn.pid}/children`, 'utf8')
    const leader = children.trim().split(' ')[0]
    if (!leader) throw new Error('systemd-nspawn has not started a machine')
    const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root']
    const out = await run('nsenter', ['-t', leader, '-m', '-u', '-i', '-p', '-C', '--', ...env, 'sh', '-ec', line])
    return out.trim()
  }

  /** Shuts it down. */
  async stop(): Promise<void> {
    this.#nspawn.kill('SIGTERM')
    const timer = setTimeout(() => this.#nspawn.kill('SIGKILL'), 60_000)
    if (this.#nspawn.pid !== undefined) await this.#ended
    clearTimeout(timer)
    // systemd-nspawn leaves these, empty, where it was started outside of systemd.
    const left = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'].flatMap((at) => [
      join(at, 'payload'),
      join(at, 'supervisor'),
    ])
    for (const path of left.filter((path) => existsSync(path)))
      await run('find', [path, '-depth', '-type', 'd', '-delete']).catch(() => {})
  }
}
