import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { root } from '../../scripts/build.ts'

/** The files that take longest, in order: one that began last would run alone at the end. */
const longest = [
  'flow/kill',
  'flow/schedules',
  'real/pods/applications',
  'flow/readme',
  'real/pods/outages',
  'real/pods/board',
  'real/kubectl/kubectl',
  'flow/cut-links',
  'contract/runtime/executes',
  'flow/npm-start',
  'property/sync/conversation',
  'real/hostile/mosquitto',
  'flow/backup',
  'flow/doctor',
  'flow/large-set',
  'flow/backlog',
  'flow/slow-link',
  'flow/bad-input',
  'flow/certificates',
  'unit/cloudcore/kube/status-writer',
  'contract/apiserver/server',
  'contract/link/link',
  'real/kubectl/kinds',
  'contract/apiserver/crash',
  'real/hostile/link',
  'flow/storage',
  'flow/fair-link',
]

/** Begins with what takes longest; then what starts systems, then what many small tests fill. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const ranked = files.map((file) => ({ file, rank: rankOf(relative(root, file.moduleId)) }))
    return ranked.sort((a, b) => a.rank - b.rank).map(({ file }) => file)
  }
}

function rankOf(path: string): number {
  const at = longest.findIndex((name) => path === `test/${name}.test.ts`)
  if (at >= 0) return at
  return /^test\/(flow|real)\//.test(path) ? longest.length : longest.length + 1
}
