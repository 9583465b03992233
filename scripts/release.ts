import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import { loadSettings } from '@kedge/shared/load-settings'
import { runProgram } from '@kedge/shared/program'
import { flag, path, text } from '@kedge/shared/setting-types'
import { program } from '@kedge/shared/settings'
import { filesOf, programs, root, version } from './build.ts'
import { makeArchive, pack, sourceTime } from './package/archive.ts'
import { buildImages, findEngine, imagePlatforms, pushImages } from './package/images.ts'
import { forMachine, isThisMachine, type Machine, machines } from './package/machines.ts'
import { Parts } from './package/release-parts.ts'
import { run } from './package/run.ts'
import { releaseBom } from './package/sbom.ts'

/** What `npm run release` can be told. */
export const releaseProgram = program({
  name: 'npm run release --',
  summary: 'builds everything of a release, with checksums and a bill of materials',
  flagsOnly: true,
  table: {
    dryRun: { type: flag, default: 'false', help: 'Build everything from the sources as they are, and tag nothing' },
    images: {
      type: flag,
      default: 'true',
      help: 'Build the images, too, for all machines; it needs docker, and emulation of the other ones',
    },
    pull: {
      type: flag,
      default: 'true',
      help: 'Fetch the base images; without, they are those of the engine, which has each for one machine',
    },
    registry: { type: text, help: 'Push the images to this registry: registry.example.com/kedge' },
    to: {
      type: path,
      default: { says: 'dist/release', text: () => join(root, 'dist/release') },
      help: 'The folder for it',
    },
  },
})

await runProgram('npm run release', async () => {
  const settings = await loadSettings(releaseProgram)
  if (settings === undefined) return
  const { dryRun, images, pull, registry, to } = settings
  if (dryRun && registry !== undefined)
    throw new UserError('--registry: nothing is pushed with --dry-run; give one of them')
  if (!dryRun) refuseUnlessReady()
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  const parts = new Parts(dryRun)
  const nodes: string[] = []
  for (const arch of machines)
    await parts.make(`archive for ${arch}`, async () => nodes.push(...(await archiveFor(arch, to))))
  packMaps(to)
  writeFileSync(join(to, `kedge-${version()}.cdx.json`), `${JSON.stringify(billOfMaterials(nodes), null, 2)}\n`)
  writeFileSync(join(to, 'SHA256SUMS'), sums(to))
  if (!images) parts.leftOut.push('images: --no-images')
  else if (await parts.make('images', findEngine)) await makeImages(parts, { registry, pull })
  if (!dryRun) run('git', ['tag', '-a', `v${version()}`, '-m', `Kedge ${version()}`])
  for (const file of readdirSync(to).sort()) say(relative(process.cwd(), join(to, file)))
  for (const part of parts.leftOut) say(`left out: ${part}`)
  say(
    dryRun ? 'nothing was tagged or pushed: this was a dry run' : `tagged v${version()}; git push --tags publishes it`,
  )
})

/** Makes the archive for a machine. Returns the version of the Node.js in it, where it has one. */
async function archiveFor(arch: Machine, to: string): Promise<string[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'kedge-release-'))
  try {
    const own = { node: process.execPath, nodeVersion: process.versions.node, modules: join(root, 'node_modules') }
    const { node, nodeVersion, modules } = isThisMachine(arch) ? own : forMachine(arch, scratch)
    await makeArchive({ arch, node, modules, to })
    return nodeVersion === undefined ? [] : [nodeVersion]
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

/** Makes the images of all platforms, and pushes them once all are there. */
async function makeImages(
  parts: Parts,
  { registry, pull }: { registry: string | undefined; pull: boolean },
): Promise<void> {
  for (const platform of imagePlatforms) {
    await parts.make(`images for ${platform}`, () => {
      for (const name of buildImages(platform, { prefix: registry ?? 'kedge', pull })) say(`image ${name}`)
    })
  }
  if (registry === undefined) return
  for (const name of pushImages(registry)) say(`pushed ${name}`)
}

/** The maps from the lines of the bundles to those of the sources, for whoever reads a stack of a released program. */
function packMaps(to: string): void {
  const name = `kedge-${version()}-maps`
  const making = mkdtempSync(join(tmpdir(), 'kedge-maps-'))
  try {
    for (const file of programs.flatMap((program) => filesOf(program))) {
      if (!existsSync(join(root, 'dist', `${file}.map`))) continue
      const map = join(making, name, `${file}.map`)
      mkdirSync(dirname(map), { recursive: true })
      copyFileSync(join(root, 'dist', `${file}.map`), map)
    }
    pack({ making, name, archive: join(to, `${name}.tar.gz`) })
  } finally {
    rmSync(making, { recursive: true })
  }
}

/** A release is what is committed, and the changelog names it. */
function refuseUnlessReady(): void {
  if (run('git', ['status', '--porcelain']) !== '')
    throw new UserError('there are uncommitted changes; commit them first, or use --dry-run')
  const changelog = readFileSync(join(root, 'docs/CHANGELOG.md'), 'utf8')
  if (!changelog.includes(`## ${version()}`)) throw new UserError(`docs/CHANGELOG.md has no section "## ${version()}"`)
}

function billOfMaterials(nodes: readonly string[]) {
  // By the lock file: what npm has not installed here is in archives for other machines.
  const text = run('npm', ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only'])
  return releaseBom({ text, time: sourceTime(process.env), nodes })
}

/** In the form of `sha256sum --check`. */
function sums(folder: string): string {
  const of = (file: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex')
  return readdirSync(folder)
    .sort()
    .map((file) => `${of(file)}  ${file}\n`)
    .join('')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
