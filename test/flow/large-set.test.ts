import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { KubeObject } from '@kedge/shared/objects'
import { Database } from '@kedge/shared/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { cluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { configMap, podOn } from '../support/manifests.ts'

const count = 5000
/** Of each ConfigMap what no compression can take away, in bytes. */
const unlike = 96

/** Pods that refer to ConfigMaps, as many as there are objects. */
function objects(): KubeObject[] {
  const pods = 5
  const each = count / pods - 1
  return Array.from({ length: pods }, (_, pod) => {
    const names = Array.from({ length: each }, (_unused, n) => `settings-${pod}-${n}`)
    const { spec, ...rest } = podOn(`web-${pod}`, 'edge-1')
    const envFrom = names.map((name) => ({ configMapRef: { name } }))
    const containers = [{ name: 'web', image: 'nginx:1.27', envFrom }]
    const configs = names.map((name) => configMap(name, { key: randomBytes(unlike).toString('base64') }))
    return [...configs, { ...rest, spec: { ...spec, containers } }]
  }).flat()
}

/** Looks how many objects an edge holds, which is quicker than to read them all. */
function counter(path: string): () => number {
  const db = new Database(path, { readonly: true })
  onTestFinished(() => void db.close())
  const statement = db.prepare('SELECT count(*) FROM objects').pluck()
  return () => Number(statement.get())
}

test.skipIf(cluster !== undefined)(
  'a first sync of 5,000 objects that is cut goes on where it was',
  async () => {
    const fleet = await Fleet.start({ holding: objects() })
    const edge = fleet.node('edge-1')
    const held = counter(join(edge.data, 'edge.db'))
    edge.link.narrow(250_000)
    await eventually(() => held() > count / 2, { within: 60_000 })
    edge.link.cut()
    const there = held()
    expect(there).toBeLessThan(count)
    const before = edge.link.carried.down
    edge.link.heal()
    await eventually(() => held() === count, { within: 60_000 })
    await fleet.level()

    const rest = edge.link.carried.down - before
    expect(rest).toBeGreaterThan((count - there) * unlike)
    // As much in proportion, with what was on its way and the comparison; all of it again would be more.
    expect(rest).toBeLessThan(((count - there) * before) / there + 150_000)
    expect(edge.link.carried.down).toBeLessThan(count * unlike * 1.6)
  },
  180_000,
)
