import { writeFileSync } from 'node:fs'
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

  constructor(engine: DockerEngine) {
    this.#engine = engine
    this.#env = {
      ...engine.env,
      COMPOSE_PROJECT_NAME: project,
      // docker-compose 1.29 builds through the engine, which needs no plugin of the docker command.
      COMPOSE_DOCKER_CLI_BUILD: '0',
      KEDGE_NODE_IMAGE: 'kedge-test/node:run',
      KEDGE_BUILD_IMAGE: 'kedge-test/node:build',
      KEDGE_INSTALL: 'true',
      KEDGE_BUILD_NETWORK: 'none',
      KEDGE_CHAOS_SPEED: '20',
    }
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
    config.clusters[0].cluster.server = `https://127.0.0.1:${await this.#engine.door(6443)}`
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
