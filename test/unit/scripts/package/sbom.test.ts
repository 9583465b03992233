import { describe, expect, it } from 'vitest'
import { releaseBom } from '../../../../scripts/package/sbom.ts'

const component = (ref: string) => {
  const at = ref.lastIndexOf('@')
  return { 'bom-ref': ref, name: ref.slice(0, at), version: ref.slice(at + 1) }
}

/** As `npm sbom` prints it, each time with another serial number and time. */
function printed(serialNumber: string, timestamp: string): string {
  return JSON.stringify({
    ...{ bomFormat: 'CycloneDX', specVersion: '1.5', serialNumber },
    metadata: { timestamp, component: component('kedge@0.1.0') },
    components: [component('@kedge/edgecore@0.1.0'), component('@kedge/test@0.1.0'), component('zod@4.6.7')],
    dependencies: [
      { ref: 'kedge@0.1.0', dependsOn: ['@kedge/edgecore@0.1.0', '@kedge/test@0.1.0'] },
      { ref: '@kedge/edgecore@0.1.0', dependsOn: ['zod@4.6.7'] },
      { ref: '@kedge/test@0.1.0', dependsOn: ['zod@4.6.7'] },
    ],
  })
}

const release = (text: string) => releaseBom({ text, time: 1_800_000_000, nodes: ['22.1.0', '22.1.0'] })

describe('releaseBom', () => {
  it('has what is shipped, with Node.js, and no tests', () => {
    const bom = release(printed('urn:uuid:1', '2026-01-01T00:00:00Z'))
    expect(bom.components.map((one) => one['bom-ref'])).toEqual(['@kedge/edgecore@0.1.0', 'zod@4.6.7', 'node@22.1.0'])
    expect(JSON.stringify(bom)).not.toContain('@kedge/test')
    expect(bom.metadata.timestamp).toBe('2027-01-15T08:00:00.000Z')
  })

  it('is the same for the same sources, and another for others', () => {
    const one = release(printed('urn:uuid:1', '2026-01-01T00:00:00Z'))
    expect(release(printed('urn:uuid:2', '2026-02-02T00:00:00Z'))).toEqual(one)
    expect(one.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
    const other = release(printed('urn:uuid:1', '2026-01-01T00:00:00Z').replaceAll('4.6.7', '4.6.8'))
    expect(other.serialNumber).not.toBe(one.serialNumber)
  })

  it('refuses what is no bill of materials', () => {
    expect(() => release('{"bomFormat":"SPDX"}')).toThrow()
  })
})
