import { basename, join, relative } from 'node:path'
import type { OutputFile, Plugin } from 'esbuild'

/**
 * What of a library edgecore never uses and what stands there instead, by who asks for it: each is loaded as soon as the
 * library is.
 */
const leftOut: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Log lines go to standard output, from the main thread: no threads, and no transports that would run in them.
  pino: { worker_threads: 'main-thread.ts', './transport': 'transport.ts', './lib/transport': 'transport.ts' },
}

/** Puts what is in `left-out` in the place of what edgecore never uses. */
export const withoutUnused: Plugin = {
  name: 'without-unused',
  setup(build) {
    const folder = join(import.meta.dirname, 'left-out')
    build.onResolve({ filter: /^(worker_threads|\.\/(lib\/)?transport)$/ }, ({ path, importer }) => {
      const [, asks = ''] = /.*\/node_modules\/([^/]+)\//.exec(importer) ?? []
      const instead = leftOut[asks]?.[path]
      return instead === undefined ? undefined : { path: join(folder, instead) }
    })
  },
}

/** Modules of Node.js that an edgecore at rest has no use for, and of which Kedge uses nothing but functions: 1 MB. */
const late = /^node:https?$/
/** Modules of ours of which, likewise, others use these functions and nothing else at run time. */
const oursLate: Readonly<Record<string, readonly string[]>> = { 'edgecore/pods/pod-schema.ts': ['parsePodSpec'] }

/** Has modules run with the first call of one of their functions, and those of Node.js loaded only then. */
export const whenCalled: Plugin = {
  name: 'when-called',
  setup(build) {
    const namespace = 'when-called'
    build.onResolve({ filter: /^node:|\/pod-schema\.ts$/ }, ({ path, importer, kind, resolveDir }) => {
      if (kind !== 'import-statement' || importer.includes('/node_modules/')) return undefined
      if (late.test(path)) return { path, namespace }
      const ours = relative(build.initialOptions.absWorkingDir ?? '', join(resolveDir, path))
      return ours in oursLate ? { path: ours, namespace, pluginData: resolveDir } : undefined
    })
    build.onLoad({ filter: /.*/, namespace }, async ({ path, pluginData }) => {
      const names = oursLate[path] ?? functionsOf((await import(path)) as Record<string, unknown>)
      const from = path in oursLate ? `./${basename(path)}` : path
      const lines = names.map(
        (name) => `export const ${name} = (...a) => require(${JSON.stringify(from)}).${name}(...a)`,
      )
      return { contents: lines.join('\n'), resolveDir: pluginData as string | undefined }
    })
    // They are no files that a program is made of.
    build.onEnd(({ metafile }) => {
      for (const path of Object.keys(metafile?.inputs ?? {}))
        if (path.startsWith(`${namespace}:`)) delete metafile?.inputs[path]
    })
  },
}

function functionsOf(module: Record<string, unknown>): string[] {
  return Object.keys(module).filter((name) => /^[a-z]/.test(name) && typeof module[name] === 'function')
}

/** What runs first. */
export const entry = 'edgecore/boot.ts'

/** What `node dist/edgecore.js` runs. */
const door = (first: string) => `#!/usr/bin/env node
import { createRequire } from 'node:module'
createRequire(import.meta.url)('./${first}')
`

/**
 * Makes CommonJS of the modules that esbuild has split, which it can do of modules alone, and writes `edgecore.js` that loads
 * the first of them: of modules Node.js keeps 1.5 MB more.
 */
export const asCommonJs: Plugin = {
  name: 'as-common-js',
  setup({ onEnd, initialOptions, esbuild }) {
    const { minifyWhitespace, minifySyntax, lineLimit, target, absWorkingDir = '', outdir = '' } = initialOptions
    const output = {
      minifyWhitespace,
      minifySyntax,
      lineLimit,
      target,
      sourcemap: 'external',
      sourcesContent: false,
    } as const
    const converted = async ({ path, text }: OutputFile): Promise<OutputFile[]> => {
      const sourcefile = basename(path)
      const define = { 'import.meta.url': '__filename' }
      const { code, map } = await esbuild.transform(withRequire(text), { ...output, format: 'cjs', define, sourcefile })
      return [fileOf(path, `${code}//# sourceMappingURL=${sourcefile}.map\n`), fileOf(`${path}.map`, map)]
    }
    onEnd(async (result) => {
      if (result.outputFiles === undefined || result.metafile === undefined) return
      const made = result.outputFiles.map(async (file) => (file.path.endsWith('.cjs') ? converted(file) : [file]))
      const { outputs } = result.metafile
      const first = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === entry) ?? ''
      const opened = fileOf(join(absWorkingDir, outdir, 'edgecore.js'), door(relative(outdir, first)))
      result.outputFiles = [...(await Promise.all(made)).flat(), opened]
      outputs[join(outdir, 'edgecore.js')] = { bytes: opened.contents.length, inputs: {}, imports: [], exports: [] }
    })
  },
}

/**
 * Loads our own parts and what is Node's with `require`; a driver that somebody has named may be a module. The name is as
 * long as what it stands for, so that the map to the sources stays true.
 */
function withRequire(text: string): string {
  const loader = 'kedge_'
  const replaced = text.replaceAll(/\bimport(?=\(\s*"(\.|node:))/g, loader)
  if (replaced === text) return text
  return `${replaced}\nfunction ${loader}(path){return Promise.resolve().then(()=>require(path))}\n`
}

function fileOf(path: string, text: string): OutputFile {
  return { path, text, contents: Buffer.from(text), hash: '' }
}
