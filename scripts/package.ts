import { join, relative } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import { loadSettings } from '@kedge/shared/load-settings'
import { runProgram } from '@kedge/shared/program'
import { oneOf, path, valueType } from '@kedge/shared/setting-types'
import { program } from '@kedge/shared/settings'
import { root } from './build.ts'
import { debianArch, makeArchive } from './package/archive.ts'

const nodeFile = valueType('PATH', 'the path of a Node.js executable, or none', (text) => text || undefined)

/** What `npm run package` can be told. */
export const packageProgram = program({
  name: 'npm run package --',
  summary: 'makes the archive that a board is installed from',
  flagsOnly: true,
  table: {
    arch: {
      type: oneOf(['amd64', 'arm64', 'armhf']),
      default: { says: 'that of this machine', text: () => debianArch(process.arch) },
      help: 'The machine that it is for',
    },
    node: {
      type: nodeFile,
      default: { says: 'the one that runs this', text: () => process.execPath },
      help: 'The Node.js that goes in, for that machine; none, where the machine has its own',
    },
    modules: {
      type: path,
      default: { says: 'those of the repository', text: () => join(root, 'node_modules') },
      help: 'node_modules with the native addons for that machine',
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
  const { arch, modules, to } = settings
  const node = settings.node === 'none' ? undefined : settings.node
  if (arch !== debianArch(process.arch) && node === process.execPath) {
    throw new UserError(`--node: this one is for ${debianArch(process.arch)}; give one for ${arch}, or none`)
  }
  const archive = await makeArchive({ arch, node, modules, to })
  process.stdout.write(`${relative(process.cwd(), archive)}\n`)
})
