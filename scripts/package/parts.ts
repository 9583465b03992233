import { chmodSync, cpSync, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { filesOf, type ProgramName, root } from '../build.ts'

/** The files that a program needs beside Node.js, and where they are in the repository. */
export interface Part {
  from: string
  to: string
}

/** The SQLite library in both versions (shared/sqlite.ts says why), with what it loads: each where it is installed. */
const addons: Record<string, readonly string[]> = {
  'better-sqlite3': ['package.json', 'LICENSE', 'lib', 'build/Release/better_sqlite3.node'],
  bindings: ['package.json', 'LICENSE.md', 'bindings.js'],
  'file-uri-to-path': ['package.json', 'LICENSE', 'index.js'],
  'better-sqlite3-13': [
    ...['package.json', 'LICENSE', 'lib', 'build/Release/better_sqlite3.node'],
    ...['x64', 'arm64'].flatMap((arch) => [`prebuilds/linux-${arch}.node`, `prebuilds/linuxmusl-${arch}.node`]),
  ],
}

/** What a program consists of, with native addons from the folder `modules`; its bundle must have been built. */
export function partsOf(program: ProgramName, modules = join(root, 'node_modules')): Part[] {
  const installed = Object.entries(addons).flatMap(([name, files]) =>
    files.map((file) => join(name, file)).filter((file) => existsSync(join(modules, file))),
  )
  return [
    ...filesOf(program).map((file) => ({ from: join(root, 'dist', file), to: file })),
    { from: join(root, 'LICENSE'), to: 'LICENSE' },
    ...installed.map((file) => ({ from: join(modules, file), to: join('node_modules', file) })),
  ]
}

/** Copies parts into the folder `to`, readable by everybody whatever the umask is. */
export function copyParts(parts: readonly Part[], to: string): void {
  for (const part of parts) cpSync(part.from, join(to, part.to), { recursive: true })
  for (const entry of readdirSync(to, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    chmodSync(path, entry.isDirectory() || (statSync(path).mode & 0o100) !== 0 ? 0o755 : 0o644)
  }
  chmodSync(to, 0o755)
}
