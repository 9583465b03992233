import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, root, version } from '../build.ts'
import { buildFleetTool } from '../compose/build.ts'
import { copyParts, partsOf } from './parts.ts'

/**
 * Builds everything and lays out, for the Dockerfile, one folder for each image: `edgecore`, `cloudcore` and `fleet`,
 * and `data`, an empty one for a volume.
 */
async function main(to: string | undefined): Promise<void> {
  if (to === undefined) throw new Error('say where to: image.ts FOLDER')
  await build()
  const health = { from: join(root, 'deploy/docker/health.js'), to: 'health.js' }
  const start = { from: join(root, 'deploy/docker/join.js'), to: 'join.js' }
  layOut([...partsOf('edgecore'), health, start], join(to, 'edgecore'))
  layOut([...partsOf('cloudcore'), health], join(to, 'cloudcore'))
  const fleet = { from: await buildFleetTool(), to: 'fleet.js' }
  layOut([fleet, { from: join(root, 'deploy/examples/thermostat.yaml'), to: 'thermostat.yaml' }], join(to, 'fleet'))
  mkdirSync(join(to, 'data'))
  chmodSync(join(to, 'data'), 0o700)
}

function layOut(parts: Parameters<typeof copyParts>[0], to: string): void {
  mkdirSync(to, { recursive: true })
  // Says to Node.js that these are modules.
  writeFileSync(join(to, 'package.json'), `${JSON.stringify({ name: 'kedge', version: version(), type: 'module' })}\n`)
  copyParts(parts, to)
}

await main(process.argv[2])
