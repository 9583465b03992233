import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { root } from '../../../scripts/build.ts'
import { Api } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
import type { DockerEngine } from '../../support/shipping/docker-engine.ts'
import { run } from '../../support/shipping/run.ts'

const project = 'kedge-test'

/** The fleet of docker-compose.yaml, on an engine of the test's own. */
export class ComposedFleet {
  readonly #engine: DockerEngine
  readonly #env: Readonly<Record<string, string>>
  readonly #apiPort: number

  private constructor(engine: DockerEngine, apiPort: number) {
    this.#engine = engine
    this.#apiPort = apiPort
    this.#env = {
      ...engine.env,
      COMPOSE_PROJECT_NAME: project,
      // docker-compose 1.29 builds through the engine, which needs no plugin of the docker command.
      COMPOSE_DOCKER_CLI_BUILD: '0',
      KEDGE_NODE_IMAGE: 'kedge-test/node:run',
      KEDGE_BUILD_IMAGE: 'kedge-test/node:build',
      KEDGE_INSTALL: 'true',
      KEDGE_BUILD_NETWORK: 'none',
      KEDGE_API_PORT: String(apiPort),
      KEDGE_CHAOS_SPEED: '20',
    }
  }

  static async of(engine: DockerEngine): Promise<ComposedFleet> {
    return new ComposedFleet(engine, await freePort())
  }

  /** `docker compose` or `docker-compose`, whichever KEDGE_TEST_COMPOSE names. */
  compose(...args: string[]): Promise<string> {
    const [program = 'docker-compose', ...before] = (process.env.KEDGE_TEST_COMPOSE ?? 'docker-compose').split(' ')
    return run(program, [...before, ...args], { cwd: root, env: this.#env })
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

  /** The API as a person on this machine reaches it; `dir` is for its kubeconfig. */
  async api(dir: string): Promise<Api> {
    const file = join(dir, 'kubeconfig')
    const text = await eventually(() =>
      this.compose('exec', '-T', 'cloudcore', 'cat', '/var/lib/kedge/cloudcore/kubeconfig'),
    )
    const config = parse(text)
    config.clusters[0].cluster.server = `https://127.0.0.1:${this.#apiPort}`
    writeFileSync(file, stringify(config))
    return new Api(file)
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

export function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** What processes and mounts of the engine's folder are left. */
export function leftOf(dir: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(dir))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
