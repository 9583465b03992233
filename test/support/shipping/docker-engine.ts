import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { root } from '../../../scripts/build.ts'
import { eventually } from '../eventually.ts'
import { debianRoot } from './debian.ts'
import { run } from './run.ts'

/** A Docker engine of the test's own: its images, containers and networks lie in one folder and go with it. */
export class DockerEngine {
  readonly env: Readonly<Record<string, string>>
  readonly #dir: string
  readonly #daemon: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(dir: string) {
    this.#dir = dir
    this.env = { DOCKER_HOST: `unix://${join(dir, 'docker.sock')}` }
    const log = openSync(join(dir, 'dockerd.log'), 'a')
    this.#daemon = spawn(
      'dockerd',
      [
        ...['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'pid')],
        // Another engine on this machine has the usual bridge and addresses.
        ...['--host', `unix://${join(dir, 'docker.sock')}`, '--bridge', 'none'],
        ...['--default-address-pool', 'base=10.213.0.0/16,size=24'],
      ],
      { stdio: ['ignore', log, log] },
    )
    this.#ended = once(this.#daemon, 'close')
    this.#daemon.on('error', () => {})
  }

  /** Starts one in the folder `dir`. Throws with its log when it does not come up: it needs root and docker.io. */
  static async start(dir: string): Promise<DockerEngine> {
    mkdirSync(dir, { recursive: true })
    const engine = new DockerEngine(dir)
    const gone = engine.#ended.then(() => {
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
   * Makes the base images that no registry gives: `kedge-test/node:run`, Debian and this Node.js, and
   * `kedge-test/node:build`, which brings the dependencies as well.
   */
  async makeBaseImages(): Promise<void> {
    const system = await debianRoot()
    const made = join(this.#dir, 'base.tar')
    const [bin, node] = [dirname(process.execPath), basename(process.execPath)]
    const pseudo = ['--exclude=./proc/*', '--exclude=./sys/*']
    const named = `--transform=flags=r;s,^${node}$,usr/bin/node,`
    await run('tar', ['-cf', made, ...pseudo, named, '-C', system, '.', '-C', bin, node])
    await this.docker('import', made, 'kedge-test/node:run')
    rmSync(made)
    const context = join(this.#dir, 'build')
    mkdirSync(context)
    const unused = ['@biomejs', '@typescript', '@kubernetes/client-node/src', '.vite', '.cache']
    const exclude = unused.map((name) => `--exclude=./node_modules/${name}`)
    await run('tar', ['-cf', join(context, 'modules.tar'), ...exclude, '-C', root, './node_modules'])
    writeFileSync(join(context, 'Dockerfile'), 'FROM kedge-test/node:run\nADD modules.tar /src/\n')
    await run('docker', ['build', '-q', '-t', 'kedge-test/node:build', context], {
      env: { ...this.env, DOCKER_BUILDKIT: '0' },
    })
    rmSync(context, { recursive: true })
  }

  /** Stops it and removes all that it had. */
  async stop(): Promise<void> {
    this.#daemon.kill('SIGTERM')
    const timer = setTimeout(() => this.#daemon.kill('SIGKILL'), 30_000)
    if (this.#daemon.pid !== undefined) await this.#ended
    clearTimeout(timer)
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 })
  }
}
