import { deviceCrds } from '@kedge/shared/kubeapi/device-crds'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { manifests } from '../../support/device-manifests.ts'
import { eventually } from '../../support/eventually.ts'
import { type Kube, makeNamespace, minorOf, openKube } from '../../support/kube.ts'

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>
/** Definitions that were not there before: they go with the suite. */
const ours: string[] = []
let root: string

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
  root = `/apis/devices.kubeedge.io/v1beta1/namespaces/${namespace.name}`
  for (const crd of deviceCrds()) {
    const { code } = await kube.create(crds, crd)
    if (code === 201) ours.push(crd.metadata.name)
    else expect(code).toBe(409)
  }
  await eventually(async () => {
    const answers = await Promise.all([kube.get(`${root}/devices`), kube.get(`${root}/devicemodels`)])
    return answers.every(({ code }) => code === 200)
  })
})

afterAll(async () => {
  await namespace?.remove()
  for (const name of ours) await kube.call({ method: 'DELETE', path: `${crds}/${name}` })
  await kube?.close()
})

const path = (kind: string) => `${root}/${kind.toLowerCase()}s`
const strict = (kind: string) => `${path(kind)}?fieldValidation=Strict`

describe("KubeEdge's manifests", () => {
  it.each(manifests.map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    '%s is taken unchanged',
    async (_, one) => {
      const manifest = { ...one, metadata: { ...one.metadata, namespace: namespace.name } }
      const { code, body } = await kube.create(strict(one.kind), manifest)
      expect(code).toBe(201)
      expect(body).toMatchObject({ apiVersion: one.apiVersion, kind: one.kind, spec: manifest.spec })
      expect(body.metadata.generation).toBe(1)
    },
  )
})

/** [what, kind, spec, causes as `field: message`] */
const refused: [string, string, unknown, string[]][] = [
  [
    'a desired value that is none',
    'Device',
    { properties: [{ name: 'a', desired: {} }] },
    ['spec.properties[0].desired.value: Required value'],
  ],
  [
    'a property twice',
    'Device',
    { properties: [{ name: 'a' }, { name: 'a' }] },
    ['spec.properties[1]: Duplicate value: {"name":"a"}'],
  ],
  [
    'a property of a model twice',
    'DeviceModel',
    { properties: [{ name: 'a' }, { name: 'b' }, { name: 'a', type: 'INT' }] },
    ['spec.properties[2]: Duplicate value: {"name":"a"}'],
  ],
  [
    'a number as text',
    'Device',
    { properties: [{ name: 'a', reportCycle: '1000' }] },
    [
      'spec.properties[0].reportCycle: Invalid value: "string": spec.properties[0].reportCycle in body must be of type integer: "string"',
    ],
  ],
  [
    'an unknown type',
    'DeviceModel',
    { properties: [{ name: 'a', type: 'INTT' }] },
    [
      'spec.properties[0].type: Unsupported value: "INTT": supported values: "INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES", "STREAM"',
    ],
  ],
]

/** Older clusters do not say which item of a list it is, and show values in the words of their language. */
function asOlder(text: string): string {
  return text.replaceAll(/\[\d+\]/g, '').replace('map[string]interface {}', '')
}

describe('manifests with a fault', () => {
  it.each(refused)('%s is refused with the field', async (_, kind, spec, expected) => {
    const { code, body } = await kube.create(path(kind), {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind,
      metadata: { name: 'bad' },
      spec,
    })
    expect({ code, reason: body.reason }).toEqual({ code: 422, reason: 'Invalid' })
    expect(body.details).toMatchObject({ name: 'bad', group: 'devices.kubeedge.io', kind })
    const causes = body.details.causes.map(
      ({ field, message }: { field: string; message: string }) => `${field}: ${message}`,
    )
    const shown = (await minorOf(kube)) < 25 ? asOlder : (text: string) => text
    for (const one of expected) expect(causes.map(shown)).toContain(shown(one))
  })
})

describe('the status of a device', () => {
  it('is written on its own path, and printed', async () => {
    const lamp = `${root}/devices/lamp`
    const twins = [{ propertyName: 'power', observedDesired: { value: 'OFF' }, reported: { value: 'ON' } }]
    const conditions = [
      { type: 'InSync', status: 'False', reason: 'Differs', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]
    const patch = { spec: { nodeName: 'other' }, status: { state: 'online', twins, conditions } }
    const { code, body } = await kube.call({
      method: 'PATCH',
      path: `${lamp}/status`,
      type: 'application/merge-patch+json',
      body: patch,
    })
    expect(code).toBe(200)
    expect(body).toMatchObject({ spec: { nodeName: 'edge-1' }, status: patch.status, metadata: { generation: 1 } })
    const table = await kube.call({ path: lamp, accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' })
    expect(table.body.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
      'Name',
      'Model',
      'Node',
      'State',
      'In-Sync',
      'Last-Seen',
      'Ready',
      'Protocol',
      'Age',
    ])
    expect(table.body.rows[0].cells.slice(0, 5)).toEqual(['lamp', 'lamp', 'edge-1', 'online', 'False'])
    expect(table.body.rows[0].cells[7]).toBe('mqtt')
  })
})
