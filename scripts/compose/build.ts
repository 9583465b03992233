import { join } from 'node:path'
import { fileOptions, root } from '../build.ts'

/** Bundles what the fleet of docker-compose.yaml has besides the programs. Resolves with the bundle's path. */
export async function buildFleetTool(): Promise<string> {
  const esbuild = await import('esbuild')
  const outfile = join(root, 'dist/fleet.js')
  await esbuild.build({
    ...fileOptions('scripts/compose/main.ts', outfile),
    ...{ metafile: false, write: true, sourcemap: false, legalComments: 'none' },
  })
  return outfile
}
