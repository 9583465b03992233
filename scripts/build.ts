import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildOptions, BuildResult, Metafile } from 'esbuild'
import * as z from 'zod'
import { asCommonJs, entry, whenCalled, withoutUnused } from './edgecore-bundle.ts'

/** The folder of the repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

export const programs = ['cloudcore', 'edgecore'] as const
export type ProgramName = (typeof programs)[number]

/** The bundle of a program: `node dist/edgecore.js`. */
export function bundlePath(name: ProgramName): string {
  return join(root, 'dist', `${name}.js`)
}

function metaPath(name: ProgramName): string {
  return join(root, 'dist', `${name}.meta.json`)
}

// Packages in CommonJS ask for `require`, which a module does not have.
const banner = `#!/usr/bin/env node
import { createRequire as kedgeCreateRequire } from 'node:module'
const require = kedgeCreateRequire(import.meta.url)`

/**
 * What every bundle is made with. Node keeps the text of a program in memory, so it goes without spaces (3 MB
 * less resident at the edge). Names stay, and lines stay short, so that a stack tells where it was.
 */
function common(): BuildOptions & { metafile: true; write: false } {
  return {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    alias: {
      // The client library loads undici for what Kedge does not use: 14 MB resident.
      undici: join(root, 'cloudcore/kube/undici-unused.ts'),
      // A copy of Node's own streams for those who have others: 1 MB resident.
      'readable-stream': 'stream',
    },
    // Native addons: they stay in node_modules. Without serialport there is no Modbus on serial lines, and that is all.
    external: ['better-sqlite3', 'better-sqlite3-13', 'serialport'],
    banner: { js: banner },
    define: { KEDGE_VERSION: JSON.stringify(version()) },
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: 'linked',
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    write: false,
    logLevel: 'silent',
  }
}

/** How esbuild makes one file of `entry` and all that it needs. */
export function fileOptions(entry: string, outfile: string): BuildOptions & { metafile: true; write: false } {
  return { ...common(), entryPoints: [entry], outfile }
}

/**
 * How esbuild makes a program. edgecore is `dist/edgecore.js`, and beside it in `dist/edgecore/` one file for each part that
 * is loaded when it is needed: what is not needed takes no memory. What such a part loads with `await import` is a module
 * of ours, for a library in CommonJS would come without its names. cloudcore needs nearly all of itself.
 */
export function buildOptions(name: ProgramName): BuildOptions & { metafile: true; write: false } {
  if (name === 'cloudcore') return fileOptions('cloudcore/main.ts', 'dist/cloudcore.js')
  return {
    ...common(),
    ...{ entryPoints: [{ in: entry, out: 'edgecore/boot' }], entryNames: '[dir]/[name]-[hash]', outdir: 'dist' },
    ...{ splitting: true, chunkNames: 'edgecore/[name]-[hash]', outExtension: { '.js': '.cjs' } },
    // Each file takes the map of what it was into its own.
    ...{ banner: {}, sourcemap: 'inline', plugins: [withoutUnused, whenCalled, asCommonJs] },
  }
}

/** The version that is built. */
export function version(): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))).version
}

export interface Built {
  name: ProgramName
  /** Of all its files. */
  bytes: number
  /** Milliseconds that it took; undefined when the bundle was newer than all that it is made of. */
  ms?: number
}

/** Builds the bundles that are older than their sources. Throws esbuild's error, which names file and line. */
export async function build(names: readonly ProgramName[] = programs): Promise<Built[]> {
  return Promise.all(names.map(buildOne))
}

async function buildOne(name: ProgramName): Promise<Built> {
  if (isFresh(name)) return { name, bytes: bytesOf(name) }
  const started = Date.now()
  // Loaded only here: those who find everything fresh do without.
  const esbuild = await import('esbuild')
  const result = await esbuild.build(buildOptions(name))
  put(name, result, started)
  return { name, bytes: bytesOf(name), ms: Date.now() - started }
}

/**
 * Writes the files of a build that began at `started`, each at once: first what the bundle loads, then the bundle, and
 * last the list of what they were made of. That list bears the time of the beginning: a source that was saved meanwhile
 * is newer.
 */
export function put(name: ProgramName, { outputFiles = [], metafile }: BuildResult, started: number): void {
  mkdirSync(join(root, 'dist', name), { recursive: true })
  const door = bundlePath(name)
  for (const file of outputFiles) if (file.path !== door) replace(file.path, file.contents)
  for (const file of outputFiles) if (file.path === door) replace(file.path, file.contents)
  chmodSync(door, 0o755)
  replace(metaPath(name), JSON.stringify(metafile))
  utimesSync(metaPath(name), started / 1000, started / 1000)
  removeOld(name, started)
}

function replace(path: string, content: string | Uint8Array): void {
  const beside = `${path}.${process.pid}.tmp`
  writeFileSync(beside, content)
  renameSync(beside, path)
}

/** Removes the files of former builds. Programs that run may still load them: they stay for a day. */
function removeOld(name: ProgramName, now: number): void {
  const folder = join(root, 'dist', name)
  for (const file of readdirSync(folder)) {
    const path = join(folder, file)
    if (statSync(path).mtimeMs < now - 24 * 3_600_000) rmSync(path, { force: true })
  }
}

const Meta = z.object({
  inputs: z.record(z.string(), z.unknown()),
  outputs: z.record(z.string(), z.object({ bytes: z.number() })),
})

/** What a program was made of when it was last built: every input with what it imports, and every file made. */
export function metaOf(name: ProgramName): Metafile {
  return JSON.parse(readFileSync(metaPath(name), 'utf8')) as Metafile
}

/** The files of a program that was built, relative to `dist/`; the maps to its sources are not among them. */
export function filesOf(name: ProgramName): string[] {
  return Object.keys(metaOf(name).outputs)
    .filter((path) => !path.endsWith('.map'))
    .map((path) => relative('dist', path))
}

function bytesOf(name: ProgramName): number {
  return filesOf(name).reduce((sum, file) => sum + statSync(join(root, 'dist', file)).size, 0)
}

/** Whether the bundle is whole, and newer than each of the files that it was made of. */
function isFresh(name: ProgramName): boolean {
  try {
    const built = statSync(metaPath(name)).mtimeMs
    const { inputs, outputs } = Meta.parse(JSON.parse(readFileSync(metaPath(name), 'utf8')))
    for (const made of Object.keys(outputs)) statSync(join(root, made))
    const builders = [import.meta.filename, join(import.meta.dirname, 'edgecore-bundle.ts')].map((path) =>
      relative(root, path),
    )
    const sources = [...Object.keys(inputs), 'package.json', 'package-lock.json', ...builders]
    return sources.every((source) => statSync(join(root, source)).mtimeMs < built)
  } catch {
    // A file is missing or cannot be read: build again.
    return false
  }
}

async function main(): Promise<void> {
  for (const { name, bytes, ms } of await build()) {
    const how = ms === undefined ? 'up to date' : `built in ${ms} ms`
    process.stdout.write(`${relative(process.cwd(), bundlePath(name))}  ${Math.round(bytes / 1024)} KiB, ${how}\n`)
  }
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error: Error) => {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  })
}
