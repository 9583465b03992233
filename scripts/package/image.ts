import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Database } from '@kedge/shared/sqlite'
import { build, root, version } from '../build.ts'
import { buildFleetTool } from '../compose/build.ts'
import { copyParts, type Part, partsOf } from './parts.ts'

/**
 * Builds everything and lays out, for the Dockerfile, one folder for each image: `edgecore`, `cloudcore` and `fleet`,
 * `data`, an empty one for a volume, and `folders` with one for each volume that others read.
 */
async function main(to: string | undefined): Promise<void> {
  if (to === undefined) throw new Error('say where to: image.ts FOLDER')
  // An addon that does not load, where none is ready-made, is told here and not by the image.
  new Database(':memory:').close()
  await build()
  const health = { from: join(root, 'deploy/docker/health.js'), to: 'health.js' }
  const start = { from: join(root, 'deploy/docker/join.js'), to: 'join.js' }
  layOut([...partsOf('edgecore'), health, start], join(to, 'edgecore'))
  const cloud = { from: join(root, 'deploy/docker/cloud.js'), to: 'cloud.js' }
  layOut([...partsOf('cloudcore'), health, cloud], join(to, 'cloudcore'))
  const fleet = { from: await buildFleetTool(), to: 'fleet.js' }
  layOut([fleet, ...fleetFiles()], join(to, 'fleet'))
  for (const folder of ['data', 'folders', 'folders/mosquitto', 'folders/cloud', 'folders/join']) {
    mkdirSync(join(to, folder))
    chmodSync(join(to, folder), 0o700)
  }
}

/** What the services of the fleet's profiles use of `deploy`. */
function fleetFiles(): Part[] {
  const from = (path: string) => join(root, 'deploy', path)
  const crds = ['devices', 'devicemodels'].map((name) => `crds/${name}.devices.kubeedge.io.yaml`)
  const manifests = [...crds, 'kubernetes/namespace.yaml', 'kubernetes/rights.yaml']
  return [
    { from: from('examples/thermostat.yaml'), to: 'thermostat.yaml' },
    { from: from('mosquitto/kedge-acl'), to: 'kedge-acl' },
    ...manifests.map((path) => ({ from: from(path), to: join('cluster', basename(path)) })),
  ]
}

/** The addons of other machines are of no use; whether the base image has musl is not known here. */
function isOfThisMachine({ to }: Part): boolean {
  return !to.includes('/prebuilds/') || to.includes(`-${process.arch}.`)
}

function layOut(parts: readonly Part[], to: string): void {
  mkdirSync(to, { recursive: true })
  // Says to Node.js that these are modules.
  writeFileSync(join(to, 'package.json'), `${JSON.stringify({ name: 'kedge', version: version(), type: 'module' })}\n`)
  copyParts(parts.filter(isOfThisMachine), to)
}

await main(process.argv[2])
