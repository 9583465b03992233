import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { loadSettings } from '@kedge/shared/load-settings'
import { runProgram } from '@kedge/shared/program'
import { oneOf, path, valueType } from '@kedge/shared/setting-types'
import { program } from '@kedge/shared/settings'
import { root } from './build.ts'
import { debianArch, makeArchive } from './package/archive.ts'
import { forMachine, isThisMachine, machines } from './package/machines.ts'

const nodeFile = valueType('PATH', 'the path of a Node.js executable, or none', (text) => text || undefined)

/** What `npm run package` can be told. */
export const packageProgram = program({
  name: 'npm run package --',
  summary: 'makes the archive that a board is installed from',
  flagsOnly: true,
  table: {
    arch: {
      type: oneOf(machines),
      default: { says: 'that of this machine', text: () => debianArch(process.arch) },
      help: 'The machine that it is for',
    },
    node: {
      type: nodeFile,
      help: 'The Node.js that goes in, for that machine; none, where the machine has its own. Unless given the one that runs this; for another machine one of the npm registry, and for armhf, which has none there, none',
    },
    modules: {
      type: path,
      help: 'node_modules with the native addons for that machine. Unless given those of the repository; for another machine those of the npm registry, and for armhf compiled here, for Node.js of the same major version as the one that runs this',
    },
    to: {
      type: path,
      default: { says: 'dist/release', text: () => join(root, 'dist/release') },
      help: 'The folder for it',
    },
  },
})

await runProgram('npm run package', async () => {
  const settings = await loadSettings(packageProgram)
  if (settings === undefined) return
  const { arch, to } = settings
  const scratch = mkdtempSync(join(tmpdir(), 'kedge-package-'))
  try {
    const own = { node: process.execPath, modules: join(root, 'node_modules') }
    const found = isThisMachine(arch) ? own : undefined
    const whole = settings.node !== undefined && settings.modules !== undefined
    const { node, modules } = found ?? (whole ? own : forMachine(arch, scratch))
    const given = settings.node === 'none' ? undefined : (settings.node ?? node)
    if (given === undefined) process.stderr.write(`${needsNode(settings.modules === undefined)}\n`)
    const archive = await makeArchive({ arch, node: given, modules: settings.modules ?? modules, to })
    process.stdout.write(`${relative(process.cwd(), archive)}\n`)
  } finally {
    rmSync(scratch, { recursive: true })
  }
})

function needsNode(compiled: boolean): string {
  const which = compiled ? process.versions.node.split('.')[0] : '20.19 or newer'
  return `no Node.js goes in: the board needs its own, Node.js ${which}; Debian 13 has 20.19 (apt-get install nodejs)`
}
