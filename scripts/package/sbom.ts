import { createHash } from 'node:crypto'
import * as z from 'zod'

const Component = z.looseObject({ 'bom-ref': z.string(), name: z.string(), version: z.string() })
const Bom = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.looseObject({ component: Component }),
  components: z.array(Component),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()).default([]) })).default([]),
})
export type Bom = z.infer<typeof Bom>

export interface BomOptions {
  /** What `npm sbom` printed. */
  text: string
  /** Seconds since 1970. */
  time: number
  /** Versions of the Node.js in the archives. */
  nodes: readonly string[]
}

/**
 * The software bill of materials of a release (CycloneDX), from that of npm: without the workspaces of tests, with
 * Node.js, and the same for the same sources, which npm's serial number and time are not.
 */
export function releaseBom({ text, time, nodes }: BomOptions): Bom {
  const bom = Bom.parse(JSON.parse(text))
  const isTest = (ref: string) => ref.startsWith('@kedge/test@')
  const components = bom.components.filter((component) => !isTest(component['bom-ref']))
  components.push(...[...new Set(nodes)].sort().map(nodeComponent))
  const dependencies = bom.dependencies
    .filter(({ ref }) => !isTest(ref))
    .map((one) => ({ ...one, dependsOn: one.dependsOn.filter((ref) => !isTest(ref)) }))
  const component = { ...bom.metadata.component, type: 'application', name: 'kedge' }
  const metadata = { ...bom.metadata, timestamp: new Date(time * 1000).toISOString(), component }
  const made = { ...bom, metadata, components, dependencies }
  return { ...made, serialNumber: `urn:uuid:${uuidOf(JSON.stringify({ ...made, serialNumber: undefined }))}` }
}

function nodeComponent(version: string): z.infer<typeof Component> {
  const ref = `node@${version}`
  const of = { type: 'platform', name: 'node', version, purl: `pkg:generic/${ref}` }
  return { 'bom-ref': ref, ...of, licenses: [{ license: { id: 'MIT' } }] }
}

/** A UUID that depends on a text alone (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}
