import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../../../scripts/build.ts'
import { fetchPackage } from '../../../scripts/package/machines.ts'
import { arm64Files } from './arm64-files.ts'
import type { DockerEngine } from './docker-engine.ts'
import { run } from './run.ts'

/** What no build needs, and what is compiled for this machine. */
const unused = ['@biomejs', '@typescript', '@kubernetes/client-node/src', '.vite', '.cache']
const ofThisMachine = ['@esbuild', '@rolldown', 'better-sqlite3/build', 'better-sqlite3-13']

/**
 * Makes the base images that no registry gives, for arm64: `kedge-test/arm64`, Node.js and what it needs of Debian, and
 * `kedge-test/arm64-build`, which brings the dependencies as well. `dir` is for what lies between.
 */
export async function makeArm64Images(engine: DockerEngine, dir: string): Promise<void> {
  const { system, node } = arm64Files
  const files = join(dir, 'files')
  await run('cp', ['-a', system, files])
  for (const folder of ['tmp', 'usr/local/bin']) mkdirSync(join(files, folder), { recursive: true })
  cpSync(node, join(files, 'usr/local/bin/node'))
  if (!existsSync(join(files, 'bin/sh'))) symlinkSync('dash', join(files, 'bin/sh'))
  await engine.load('kedge-test/arm64', 'arm64', files)
  const context = join(dir, 'context')
  mkdirSync(context)
  await packModules(context)
  writeFileSync(join(context, 'Dockerfile'), 'FROM kedge-test/arm64\nADD modules.tar arm64.tar /src/\n')
  await engine.build('--platform', 'linux/arm64', '-t', 'kedge-test/arm64-build', context)
  for (const made of [files, context]) rmSync(made, { recursive: true })
}

/** node_modules of the repository, and beside them those that an arm64 machine has in place of ours. */
async function packModules(to: string): Promise<void> {
  const exclude = [...unused, ...ofThisMachine].map((name) => `--exclude=./node_modules/${name}`)
  await run('tar', ['-cf', join(to, 'modules.tar'), ...exclude, '-C', root, './node_modules'])
  const esbuild = join(arm64Files.modules, '@esbuild/linux-arm64')
  const { version } = createRequire(import.meta.url)('esbuild/package.json')
  if (!existsSync(esbuild)) fetchPackage(`@esbuild/linux-arm64@${version}`, esbuild)
  const renamed = '--transform=flags=r;s,^\\./,./node_modules/,'
  await run('tar', ['-cf', join(to, 'arm64.tar'), renamed, '-C', arm64Files.modules, '.'])
}
