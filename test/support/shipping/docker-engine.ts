import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { isAlive } from '@kedge/shared/pid-file'
import { root } from '../../../scripts/build.ts'
import { eventually } from '../eventually.ts'
import { debianRoot } from './debian.ts'
import { OwnMachine, removeControlGroup, tracesOf } from './own-machine.ts'
import { run } from './run.ts'

const named = /^kedge-engine-(\d+)$/

/**
 * A Docker engine of the test's own, on a machine of its own: its images, containers, networks and rules go with it, and
 * with this process. What one whose process was killed has left, the next one removes.
 */
export class DockerEngine {
  readonly env: Readonly<Record<string, string>>
  readonly machine: OwnMachine
  readonly #dir: string

  private constructor(dir: string) {
    this.#dir = dir
    this.env = { DOCKER_HOST: `unix://${join(dir, 'docker.sock')}` }
    const log = openSync(join(dir, 'dockerd.log'), 'a')
    const command = [
      ...['dockerd', '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'pid')],
      ...['--host', `unix://${join(dir, 'docker.sock')}`, '--bridge', 'none'],
      ...['--default-address-pool', 'base=10.213.0.0/16,size=24'],
      // systemd does not know the processes of that machine.
      ...['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${basename(dir)}`],
    ]
    this.machine = new OwnMachine(command, log)
    closeSync(log)
  }

  /** Starts one. Throws with its log when it does not come up: it needs root and docker.io. */
  static async start(): Promise<DockerEngine> {
    for (const left of readdirSync(tmpdir())) {
      const [, pid] = named.exec(left) ?? []
      if (pid !== undefined && !isAlive(Number(pid))) remove(join(tmpdir(), left))
    }
    const dir = join(tmpdir(), `kedge-engine-${process.pid}`)
    mkdirSync(dir, { mode: 0o700 })
    const engine = new DockerEngine(dir)
    const gone = engine.machine.ended.then(() => {
      throw new Error('dockerd has ended')
    })
    const up = eventually(() => engine.docker('version'), { within: 60_000, every: 200 })
    await Promise.race([up, gone]).catch(async (cause) => {
      const log = readFileSync(join(dir, 'dockerd.log'), 'utf8').split('\n').slice(-20).join('\n')
      await engine.stop()
      throw new Error(`no Docker engine; is this root, and is docker.io installed?\n${log}`, { cause })
    })
    gone.catch(() => {})
    return engine
  }

  docker(...args: string[]): Promise<string> {
    return run('docker', args, { env: this.env })
  }

  /**
   * Makes the base images that no registry gives: `kedge-test/node:run`, Debian and this Node.js; `kedge-test/node:build`,
   * which brings the dependencies as well; and `kedge-test/mosquitto`, which is the first one, for it has that, too.
   */
  async makeBaseImages(): Promise<void> {
    const system = await debianRoot('ca-certificates,libstdc++6,mosquitto')
    const made = join(this.#dir, 'base.tar')
    const [bin, node] = [dirname(process.execPath), basename(process.execPath)]
    const pseudo = ['--exclude=./proc/*', '--exclude=./sys/*']
    const named = `--transform=flags=r;s,^${node}$,usr/bin/node,`
    await run('tar', ['-cf', made, ...pseudo, named, '-C', system, '.', '-C', bin, node])
    await this.docker('import', made, 'kedge-test/node:run')
    await this.docker('tag', 'kedge-test/node:run', 'kedge-test/mosquitto')
    rmSync(made)
    const context = join(this.#dir, 'build')
    mkdirSync(context)
    const unused = ['@biomejs', '@typescript', '@kubernetes/client-node/src', '.vite', '.cache']
    const exclude = unused.map((name) => `--exclude=./node_modules/${name}`)
    await run('tar', ['-cf', join(context, 'modules.tar'), ...exclude, '-C', root, './node_modules'])
    writeFileSync(join(context, 'Dockerfile'), 'FROM kedge-test/node:run\nADD modules.tar /src/\n')
    await this.build('-t', 'kedge-test/node:build', context)
    rmSync(context, { recursive: true })
  }

  /** Makes an image of a folder, for another machine: `docker import` takes everything to be of this one. */
  async load(name: string, architecture: string, folder: string): Promise<void> {
    const dir = join(this.#dir, 'load')
    mkdirSync(dir)
    const layer = join(dir, 'layer.tar')
    await run('tar', ['-cf', layer, '--owner=0', '--group=0', '-C', folder, '.'])
    const [sum] = (await run('sha256sum', [layer])).split(' ')
    const rootfs = { type: 'layers', diff_ids: [`sha256:${sum}`] }
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ architecture, os: 'linux', config: {}, rootfs }))
    const image = { Config: 'config.json', RepoTags: [`${name}:latest`], Layers: ['layer.tar'] }
    writeFileSync(join(dir, 'manifest.json'), JSON.stringify([image]))
    const made = join(this.#dir, 'load.tar')
    await run('tar', ['-cf', made, '-C', dir, 'manifest.json', 'config.json', 'layer.tar'])
    rmSync(dir, { recursive: true })
    await this.docker('load', '--quiet', '--input', made)
    rmSync(made)
  }

  /** `docker build` by the builder that every engine has. */
  build(...args: string[]): Promise<string> {
    return run('docker', ['build', '--quiet', ...args], { env: { ...this.env, DOCKER_BUILDKIT: '0' } })
  }

  /** A port of this machine's loopback, for containers on the network of the engine's machine. */
  window(port: number): Promise<void> {
    return this.machine.window(port, this.#dir)
  }

  /** A port that a container has published on its machine's loopback, as a port of this machine. */
  door(port: number): Promise<number> {
    return this.machine.door(port, this.#dir)
  }

  /** What is left of it on this machine: its folder, processes, mounts and control groups. */
  left(): string[] {
    return [...(existsSync(this.#dir) ? [this.#dir] : []), ...tracesOf(basename(this.#dir))]
  }

  /** Stops it and removes all that it had. */
  async stop(): Promise<void> {
    await this.machine.stop()
    remove(this.#dir)
  }
}

function remove(dir: string): void {
  removeControlGroup(basename(dir))
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
}
