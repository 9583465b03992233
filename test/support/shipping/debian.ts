import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.ts'

/** Where what takes long to make is kept from one run to the next. */
export const cache = process.env.KEDGE_TEST_CACHE ?? join(homedir(), '.cache', 'kedge-test')

/**
 * A bare Debian 12 root, made with debootstrap once and kept: what a registry's base image would be. Not to be written
 * into; copy it.
 */
export async function debianRoot(packages = 'ca-certificates,libstdc++6'): Promise<string> {
  const root = join(cache, `bookworm-${process.arch}-${packages}`)
  if (existsSync(root)) return root
  mkdirSync(cache, { recursive: true })
  const making = `${root}.${process.pid}`
  try {
    await run('debootstrap', ['--variant=minbase', `--include=${packages}`, 'bookworm', making], { within: 900_000 })
    for (const waste of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale', 'usr/share/man']) {
      rmSync(join(making, waste), { recursive: true, force: true })
    }
    renameSync(making, root)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return root
}
