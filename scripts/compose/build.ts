import { join } from 'node:path'
import { root } from '../build.ts'

/** Bundles what the fleet of docker-compose.yaml has besides the programs. Resolves with the bundle's path. */
export async function buildFleetTool(): Promise<string> {
  const esbuild = await import('esbuild')
  const outfile = join(root, 'dist/fleet.js')
  await esbuild.build({
    ...{ absWorkingDir: root, entryPoints: ['scripts/compose/main.ts'], outfile, logLevel: 'silent' },
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', minifyWhitespace: true, lineLimit: 160 },
  })
  return outfile
}
