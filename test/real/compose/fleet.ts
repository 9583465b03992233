import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { root } from '../../../scripts/build.ts'
import { Api } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
import type { Block } from '../../support/readme/blocks.ts'
import type { DockerEngine } from '../../support/shipping/docker-engine.ts'
import { run } from '../../support/shipping/run.ts'

const project = 'kedge-test'
/** `docker compose` or `docker-compose`. */
const dockerCompose = process.env.KEDGE_TEST_COMPOSE ?? 'docker-compose'

/** The fleet of docker-compose.yaml, on an engine of the test's own. */
export class ComposedFleet {
  readonly #engine: DockerEngine
  readonly #root: string
  #env: Readonly<Record<string, string>>

  /** With a copy of the repository in `dir`: who edits it meanwhile does not have images made anew. */
  constructor(engine: DockerEngine, dir: string) {
    this.#engine = engine
    this.#root = join(dir, 'repository')
    copyContext(this.#root)
    this.#env = {
      ...engine.env,
      COMPOSE_PROJECT_NAME: project,
      // docker-compose 1.29 builds through the engine, which needs no plugin of the docker command.
      COMPOSE_DOCKER_CLI_BUILD: '0',
      KEDGE_NODE_IMAGE: 'kedge-test/node:run',
      KEDGE_BUILD_IMAGE: 'kedge-test/node:build',
      KEDGE_MOSQUITTO_IMAGE: 'kedge-test/mosquitto',
      KEDGE_INSTALL: 'true',
      KEDGE_BUILD_NETWORK: 'none',
      KEDGE_CHAOS_SPEED: '20',
    }
  }

  /** The profiles of all that follows, as a person exports them. */
  use(profiles: string): void {
    this.#env = { ...this.#env, COMPOSE_PROFILES: profiles }
  }

  compose(...args: string[]): Promise<string> {
    const [program = '', ...before] = dockerCompose.split(' ')
    return run(program, [...before, ...args], { cwd: this.#root, env: this.#env })
  }

  /** Lines of shell, in the folder of the repository, on the machine of the engine. */
  shell(lines: string): Promise<string> {
    const [program = '', ...args] = this.#engine.machine.onItsNetwork
    const own = lines.replaceAll('docker compose', dockerCompose)
    return run(program, [...args, 'bash', '-ec', own], { cwd: this.#root, env: this.#env })
  }

  /** The commands of a block of the README, with fewer nodes, and the kubeconfig in `dir`. */
  asShown({ commands }: Block, dir: string): Promise<string> {
    const own = commands
      .replaceAll('edge=20', 'edge=10')
      .replaceAll(/(> |--kubeconfig )kubeconfig\b/g, `$1${dir}/kubeconfig`)
    return this.shell(own)
  }

  docker(...args: string[]): Promise<string> {
    return this.#engine.docker(...args)
  }

  /** The ids of a service's containers, running or not. */
  async containers(service?: string): Promise<string[]> {
    const filters = [`project=${project}`, ...(service === undefined ? [] : [`service=${service}`])]
    const flags = filters.flatMap((filter) => ['--filter', `label=com.docker.compose.${filter}`])
    return words(await this.docker('ps', '--all', '--no-trunc', '--quiet', ...flags))
  }

  /** The address that the engine would have on one of the file's networks. */
  async gateway(network: string): Promise<string> {
    const format = '{{range .IPAM.Config}}{{.Gateway}}{{end}}'
    const said = (await this.docker('network', 'inspect', '--format', format, `${project}_${network}`)).trim()
    if (said === '') throw new Error(`${network} has no gateway`)
    return said
  }

  /** Throws while something of the fleet is left at the engine. */
  async isGone(): Promise<void> {
    const volumes = await this.docker('volume', 'ls', '--quiet')
    const networks = await this.docker('network', 'ls', '--quiet', '--filter', 'type=custom')
    const left = [...(await this.containers()), ...words(volumes), ...words(networks)]
    if (left.length > 0) throw new Error(`left: ${left.join(' ')}`)
  }

  /** The API as a person on this machine reaches it; `dir` is for its kubeconfig. */
  async api(dir: string): Promise<Api> {
    const file = join(dir, 'kubeconfig')
    const text = await eventually(() =>
      this.compose('exec', '-T', 'cloudcore', 'cat', '/var/lib/kedge/cloudcore/kubeconfig'),
    )
    const config = parse(text)
    config.clusters[0].cluster.server = `https://127.0.0.1:${await this.#engine.door(6443)}`
    writeFileSync(file, stringify(config))
    return new Api(file)
  }

  /** A port of all addresses of the engine's machine on which somebody listens, until `signal` aborts. */
  async listener(signal: AbortSignal): Promise<number> {
    const script = `const s = require('net').createServer().listen(0, () => console.log(s.address().port))`
    const [program = '', ...args] = this.#engine.machine.onItsNetwork
    const child = spawn(program, [...args, process.execPath, '-e', script], {
      signal,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.on('error', () => {})
    const [said] = await once(child.stdout, 'data')
    return Number(said)
  }

  /** Whether a container reaches a port: `open`, or how it failed. */
  async reaches(container: string, host: string, port: number): Promise<string> {
    const script = `const s = require('net').connect({ host: '${host}', port: ${port} })
      s.setTimeout(1500, () => { console.log('timeout'); process.exit() })
      s.on('connect', () => { console.log('open'); process.exit() })
      s.on('error', (e) => { console.log(e.code); process.exit() })`
    return (await this.docker('exec', container, 'node', '-e', script)).trim()
  }
}

/** What docker-compose.yaml and .dockerignore name. */
function copyContext(to: string): void {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
  const named = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  const filter = (path: string) => basename(path) !== 'node_modules'
  for (const path of new Set([...named, 'deploy', '.dockerignore', 'docker-compose.yaml'])) {
    cpSync(join(root, path), join(to, path), { recursive: true, preserveTimestamps: true, filter })
  }
}

export function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}
