import { convertCommand } from '@kedge/cloudcore/cli/convert'
import { deviceCrds } from '@kedge/shared/kubeapi/device-crds'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { startTestServer } from '../../support/kube.ts'
import { findKubectl, type Kubectl, openKubectl } from '../../support/kubectl.ts'

const program = findKubectl()
if (program === undefined && process.env.CI) throw new Error('kubectl is not in PATH: CI must have one')

const old = `
apiVersion: devices.kubeedge.io/v1alpha2
kind: DeviceModel
metadata: {name: switch, namespace: default}
spec:
  properties:
  - {name: switched, description: "", type: {boolean: {accessMode: ReadWrite, defaultValue: true}}}
---
apiVersion: devices.kubeedge.io/v1alpha2
kind: Device
metadata: {name: hall, namespace: default}
spec:
  deviceModelRef: {name: switch}
  nodeSelector: {nodeSelectorTerms: [{matchExpressions: [{key: "", operator: In, values: [edge-1]}]}]}
status:
  twins: [{propertyName: switched, desired: {value: "true", metadata: {type: boolean}}}]
`

const title = program === undefined ? "KubeEdge's v1alpha2 (skipped: no kubectl in PATH)" : "KubeEdge's v1alpha2"
describe.skipIf(program === undefined)(title, () => {
  let kubectl: Kubectl
  let stop: () => Promise<void>

  beforeAll(async () => {
    const server = await startTestServer()
    stop = server.stop
    kubectl = openKubectl(program ?? '', server.kubeconfig)
    const crds = deviceCrds().map((crd) => stringify(crd))
    expect(await kubectl.run('apply -f -', { input: crds.join('---\n') })).toMatchObject({ code: 0 })
    expect(await kubectl.run('wait --for condition=established crd --all')).toMatchObject({ code: 0 })
  })
  afterAll(async () => {
    kubectl?.close()
    await stop?.()
  })

  it('is refused with the way to convert it, and what that gives is taken', async () => {
    const refused = await kubectl.run('apply -f -', { input: old })
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain('with cloudcore convert device FILE')
    expect(refused.stderr).toContain('is invalid')

    const notes: string[] = []
    const file = kubectl.file('old.yaml', old)
    const anew = convertCommand(['device', file], { note: (line) => notes.push(line) })
    const applied = await kubectl.run('apply -f -', { input: anew })
    expect(applied).toMatchObject({ code: 0, stderr: '' })
    const shown = await kubectl.run(
      `get device hall -o jsonpath='{.spec.nodeName} {.spec.properties[0].desired.value}'`,
    )
    expect(shown.stdout).toBe('edge-1 true')
    expect(notes).toHaveLength(1)
  })
})
