import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { forMachine } from '../../../scripts/package/machines.ts'
import { arm64Dir, arm64Files } from './arm64-files.ts'
import { run } from './run.ts'

const packages = ['libc6', 'libgcc-s1', 'libstdc++6', 'dash']

/** Fetches `arm64Files` once, from Debian and from npm's registry, by their own clients. */
export async function arm64(): Promise<void> {
  if (!existsSync(arm64Dir)) {
    const making = `${arm64Dir}.${process.pid}`
    try {
      await fetchSystem(making)
      forMachine('arm64', making)
      renameSync(making, arm64Dir)
    } finally {
      rmSync(making, { recursive: true, force: true })
    }
  }
  const { command, modules, node, system } = arm64Files
  // Its addon is not among the modules of the repository.
  const env = `NODE_PATH='${modules}'`
  writeFileSync(command, `#!/bin/sh\n${env} exec qemu-aarch64-static -L '${system}' '${node}' "$@"\n`)
  chmodSync(command, 0o755)
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
