import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, programs, root, version } from '../build.ts'
import { copyParts, type Part, partsOf } from './parts.ts'

export interface ArchiveOptions {
  /** The machine that it is for, in Debian's words: amd64, arm64, armhf. */
  arch: string
  /** The Node.js that goes in; undefined for none, then the machine's is used. */
  node: string | undefined
  /** The node_modules that have the native addons for that machine. */
  modules: string
  /** The folder that gets the archive. */
  to: string
}

/** Debian's word for a machine in Node.js' words. */
export function debianArch(arch: string): string {
  return ({ x64: 'amd64', arm: 'armhf' } as Record<string, string>)[arch] ?? arch
}

/**
 * Makes `kedge-VERSION-linux-ARCH.tar.gz`: both programs, their native addon, Node.js, the units and setup.sh. The same
 * sources, Node.js and addon make the same bytes. Resolves with its path.
 */
export async function makeArchive({ arch, node, modules, to }: ArchiveOptions): Promise<string> {
  await build()
  const name = `kedge-${version()}`
  const making = mkdtempSync(join(tmpdir(), 'kedge-archive-'))
  try {
    const folder = join(making, name)
    mkdirSync(join(folder, 'lib'), { recursive: true })
    writeFileSync(join(folder, 'VERSION'), `${version()}\n`)
    writeFileSync(join(folder, 'lib/package.json'), `${JSON.stringify({ name: 'kedge', type: 'module' })}\n`)
    copyParts([...inLib(modules, arch), ...around(node)], folder)
    for (const script of ['setup.sh', ...programs.map((program) => `bin/${program}`)])
      chmodSync(join(folder, script), 0o755)
    mkdirSync(to, { recursive: true })
    const archive = join(to, `${name}-linux-${arch}.tar.gz`)
    pack({ making, name, archive })
    return archive
  } finally {
    rmSync(making, { recursive: true })
  }
}

function inLib(modules: string, arch: string): Part[] {
  const parts = new Map(programs.flatMap((program) => partsOf(program, modules)).map((part) => [part.to, part]))
  // The addons of other machines and of musl are of no use to the Node.js that goes in.
  const isOurs = ({ to }: Part) =>
    !to.includes('/prebuilds/') || to.includes(`/linux-${arch === 'amd64' ? 'x64' : arch}.`)
  return [...parts.values()]
    .filter(isOurs)
    .map(({ from, to }) => ({ from, to: to === 'LICENSE' ? to : join('lib', to) }))
}

function around(node: string | undefined): Part[] {
  const of = (from: string, to: string): Part => ({ from: join(root, from), to })
  return [
    of('deploy/archive/README.md', 'README.md'),
    of('deploy/archive/setup.sh', 'setup.sh'),
    ...programs.map((program) => of('deploy/archive/run.sh', `bin/${program}`)),
    ...['edgecore.service', 'cloudcore.service', 'devices-only.conf'].map((unit) =>
      of(`deploy/systemd/${unit}`, `systemd/${unit}`),
    ),
    ...(node === undefined ? [] : [{ from: node, to: 'bin/node' }]),
  ]
}

/** The time that all files of a release bear: that of the commit, or SOURCE_DATE_EPOCH; seconds since 1970. */
export function sourceTime(env: Readonly<Record<string, string | undefined>>): number {
  if (env.SOURCE_DATE_EPOCH) return Number(env.SOURCE_DATE_EPOCH)
  if (!existsSync(join(root, '.git'))) return Math.floor(statSync(join(root, 'package.json')).mtimeMs / 1000)
  return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root }).toString())
}

/** Makes an archive of the folder `name` in `making`. */
export function pack({ making, name, archive }: { making: string; name: string; archive: string }): void {
  const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${sourceTime(process.env)}`]
  const format = ['--format=gnu', '--use-compress-program=gzip -n']
  execFileSync('tar', ['-cf', archive, ...same, ...format, '-C', making, name])
}
