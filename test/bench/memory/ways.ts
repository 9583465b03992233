import { join } from 'node:path'
import { buildOptions, bundlePath, fileOptions, root } from '../../../scripts/build.ts'

/** One way to run edgecore. */
export interface Way {
  name: string
  bundle: string
  /** Flags of Node.js. */
  node?: readonly string[]
  env?: Readonly<Record<string, string>>
}

/** As the unit and the image set them. */
export const malloc = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' }

const shipped = bundlePath('edgecore')

/** As the unit runs it. */
export const asShipped: Way = { name: 'as the unit runs it', bundle: shipped, env: malloc }

/** From the plainest to what is shipped, then what else there is on top of that. */
export async function ways(): Promise<Way[]> {
  const { oneFile, parts } = await bundles()
  return [
    { name: 'one file', bundle: oneFile },
    { name: 'only: parts when needed', bundle: parts },
    { name: 'only: malloc', bundle: oneFile, env: malloc },
    { name: 'parts, V8 told', bundle: shipped },
    asShipped,
    ...['--lite-mode'].map((flag) => ({ ...asShipped, name: flag, node: [flag] })),
    { ...asShipped, name: 'UV_THREADPOOL_SIZE=1', env: { ...malloc, UV_THREADPOOL_SIZE: '1' } },
  ]
}

/** Bundles that differ from what is shipped, where they find the native addon: their door leaves V8 as it is. */
async function bundles(): Promise<{ oneFile: string; parts: string }> {
  const { build } = await import('esbuild')
  const write = { write: true, sourcemap: false } as const
  const oneFile = 'dist/bench-memory/one-file.js'
  await build({ ...fileOptions('edgecore/main.ts', oneFile), ...write })
  const entryPoints = [{ in: 'edgecore/main.ts', out: 'parts' }]
  const { banner } = fileOptions('', '')
  const modules = { banner, plugins: [], outExtension: {}, entryNames: '[dir]/[name]', outdir: 'dist/bench-memory' }
  await build({ ...buildOptions('edgecore'), ...modules, entryPoints, ...write })
  return { oneFile: join(root, oneFile), parts: join(root, 'dist/bench-memory/parts.js') }
}
