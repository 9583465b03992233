import { UserError } from '@kedge/shared/errors'
import { programs, version } from '../build.ts'
import { run } from './run.ts'

/** What the images are for, in Docker's words, and how their names end. */
const platforms = { 'linux/amd64': 'amd64', 'linux/arm64': 'arm64', 'linux/arm/v7': 'armv7' } as const
export type Platform = keyof typeof platforms

export const imagePlatforms = Object.keys(platforms) as Platform[]
const ownName: string | undefined = { x64: 'amd64', arm64: 'arm64', arm: 'armv7' }[process.arch as string]
const targets = [...programs, 'fleet']
const todo = 'apt-get install qemu-user-static'
// Of several builders the newer would push, with what it has to say of its work, a list where one image is expected.
const env = { BUILDX_NO_DEFAULT_ATTESTATIONS: '1' }

export interface ImageOptions {
  /** Of all names: a registry, or `kedge`. */
  prefix: string
  /** Whether base images are fetched; else they are those of the engine. */
  pull: boolean
}

/** Throws a UserError unless a Docker engine answers. */
export function findEngine(): void {
  try {
    run('docker', ['version'])
  } catch (cause) {
    throw new UserError('no Docker engine answers; start one, or say --no-images', { cause })
  }
}

/**
 * Builds every image for a platform and has the programs in them say their version, under emulation where the machine is
 * another. Returns the names. Throws a UserError that says what is missing here.
 */
export function buildImages(platform: Platform, { prefix, pull }: ImageOptions): string[] {
  return targets.map((target) => {
    const name = imageName(target, platform, prefix)
    try {
      build(target, name, platform, pull)
      if (target !== 'fleet') check(name, platform)
    } catch (cause) {
      // What the engine could not start it says to nobody.
      if (!(cause instanceof UserError) || platforms[platform] === ownName) throw cause
      throw new UserError(`${cause.message}\n(perhaps this machine does not run what is for ${platform}: ${todo})`, {
        cause,
      })
    }
    return name
  })
}

function build(target: string, name: string, platform: Platform, pull: boolean): void {
  const label = `org.opencontainers.image.version=${version()}`
  // Where a name stands for images of several platforms, the engine has one of them, and older ones take it for any.
  const from = [
    ...(pull ? ['--pull'] : []),
    '--platform',
    platform,
    '--file',
    'deploy/docker/Dockerfile',
    '--target',
    target,
  ]
  run('docker', ['build', ...from, '--label', label, ...buildArguments(), '--tag', name, '.'], { env })
}

function check(name: string, platform: Platform): void {
  const said = run('docker', ['run', '--rm', '--platform', platform, '--network', 'none', name, '--version'])
  if (said !== version()) throw new UserError(`${name} says version ${said}, and should say ${version()}`)
}

/** Pushes the images of all platforms, and for each program the one name that they are known by. */
export function pushImages(registry: string): string[] {
  return targets.map((target) => {
    const names = imagePlatforms.map((platform) => imageName(target, platform, registry))
    for (const name of names) run('docker', ['push', name])
    const name = `${registry}/${target}:${version()}`
    run('docker', ['manifest', 'create', '--amend', name, ...names])
    run('docker', ['manifest', 'push', '--purge', name])
    return name
  })
}

function imageName(target: string, platform: Platform, prefix: string): string {
  return `${prefix}/${target}:${version()}-${platforms[platform]}`
}

/** Where base images come from, by the variables that docker-compose.yaml has, too. */
function buildArguments(): string[] {
  const { KEDGE_NODE_IMAGE, KEDGE_BUILD_IMAGE, KEDGE_INSTALL, KEDGE_BUILD_NETWORK } = process.env
  const given = Object.entries({ NODE_IMAGE: KEDGE_NODE_IMAGE, BUILD_IMAGE: KEDGE_BUILD_IMAGE, INSTALL: KEDGE_INSTALL })
  const built = given.flatMap(([name, value]) => (value ? ['--build-arg', `${name}=${value}`] : []))
  return KEDGE_BUILD_NETWORK ? [...built, '--network', KEDGE_BUILD_NETWORK] : built
}
