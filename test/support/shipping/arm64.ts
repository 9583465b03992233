import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { forMachine } from '../../../scripts/package/machines.ts'
import { cache } from './debian.ts'
import { run } from './run.ts'

/** What an arm64 machine has, for qemu-user: its C library, its Node.js, and the native addon. */
export interface Arm64 {
  /** Debian's libraries; qemu's -L. */
  system: string
  node: string
  /** A command that is this Node.js under emulation. */
  command: string
  /** node_modules with the native addon. */
  modules: string
}

const dir = join(cache, 'arm64')

/** node_modules for such a machine: only native addons. */
export const arm64Modules = join(dir, 'modules')

const packages = ['libc6', 'libgcc-s1', 'libstdc++6']

/** Fetches all of it once, from Debian and from npm's registry, by their own clients. */
export async function arm64(): Promise<Arm64> {
  if (!existsSync(dir)) {
    const making = `${dir}.${process.pid}`
    try {
      await fetchSystem(making)
      forMachine('arm64', making)
      renameSync(making, dir)
    } finally {
      rmSync(making, { recursive: true, force: true })
    }
  }
  const [system, node] = [join(dir, 'system'), join(dir, 'node/bin/node')]
  const command = join(dir, 'node-arm64')
  writeFileSync(command, `#!/bin/sh\nexec qemu-aarch64-static -L '${system}' '${node}' "$@"\n`)
  chmodSync(command, 0o755)
  return { system, node, command, modules: arm64Modules }
}

async function fetchSystem(making: string): Promise<void> {
  const apt = join(making, 'apt')
  for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, folder), { recursive: true })
  writeFileSync(join(apt, 'status'), '')
  const settings = {
    ...{ 'APT::Architecture': 'arm64', 'APT::Architectures::': 'arm64', 'APT::Sandbox::User': 'root' },
    ...{ 'Dir::State': apt, 'Dir::State::Lists': join(apt, 'lists'), 'Dir::State::status': join(apt, 'status') },
    'Dir::Cache': apt,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  await run('apt-get', [...flags, '-q', 'update'])
  await run('apt-get', [...flags, '-q', 'download', ...packages], { cwd: apt })
  for (const file of readdirSync(apt).filter((name) => name.endsWith('.deb'))) {
    await run('dpkg', ['-x', join(apt, file), join(making, 'system')])
  }
  rmSync(apt, { recursive: true })
}
