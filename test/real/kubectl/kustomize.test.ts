import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { edgeLabel } from '@kedge/cloudcore/kube/trim'
import { deviceCrds } from '@kedge/shared/kubeapi/device-crds'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { root } from '../../../scripts/build.ts'
import { type Body, startTestServer } from '../../support/kube.ts'
import { findKubectl, openKubectl } from '../../support/kubectl.ts'
import { manifests, rightsOf } from '../../support/rights.ts'

const program = findKubectl()
if (program === undefined && process.env.CI) throw new Error('kubectl is not in PATH: CI must have one')

const title = program === undefined ? 'kubectl kustomize (skipped: not in PATH)' : 'kubectl kustomize'
describe.skipIf(program === undefined)(title, () => {
  let objects: Body[] = []
  const find = (kind: string) => objects.find((each) => each.kind === kind)

  beforeAll(async () => {
    const kubectl = openKubectl(program ?? '', '')
    const { code, stdout, stderr } = await kubectl.run(`kustomize '${join(root, 'deploy/kubernetes')}'`)
    kubectl.close()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    objects = parseAllDocuments(stdout).map((document) => document.toJS())
  })

  it('renders all that a cluster needs', () => {
    const shown = objects.map(({ kind, metadata: { namespace, name } }) => [kind, namespace, name].join(' '))
    expect(shown.sort()).toEqual(
      [
        'ClusterRole  kedge-cloudcore',
        'ClusterRoleBinding  kedge-cloudcore',
        'CustomResourceDefinition  devicemodels.devices.kubeedge.io',
        'CustomResourceDefinition  devices.devices.kubeedge.io',
        'Deployment kedge cloudcore',
        'Namespace  kedge',
        'NetworkPolicy kedge cloudcore',
        'Role kedge kedge-cloudcore',
        'Role kube-node-lease kedge-cloudcore',
        'RoleBinding kedge kedge-cloudcore',
        'RoleBinding kube-node-lease kedge-cloudcore',
        'Service kedge cloudcore',
        'ServiceAccount kedge cloudcore',
      ].sort(),
    )
    const crds = objects.filter(({ kind }) => kind === 'CustomResourceDefinition')
    expect(crds).toEqual(expect.arrayContaining(deviceCrds()))
    expect(rightsOf(objects, 'cloudcore')).toEqual(
      expect.arrayContaining(rightsOf(manifests('rights.yaml'), 'cloudcore')),
    )
  })

  it('takes the image from the one place where it is named', () => {
    const file = join(root, 'deploy/kubernetes/kustomization.yaml')
    const [{ newName, newTag }] = parse(readFileSync(file, 'utf8')).images
    expect(find('Deployment').spec.template.spec.containers[0].image).toBe(`${newName}:${newTag}`)
    expect(newTag).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
  })

  it('joins the parts: labels, ports and names fit each other', () => {
    const { spec } = find('Deployment')
    const { metadata, spec: pod } = spec.template
    const ports = pod.containers[0].ports.map(({ name }: Body) => name)
    expect(metadata.labels).toMatchObject(spec.selector.matchLabels)
    expect(metadata.labels).toMatchObject(find('Service').spec.selector)
    expect(metadata.labels).toMatchObject(find('NetworkPolicy').spec.podSelector.matchLabels)
    expect(find('Service').spec).toMatchObject({ type: 'LoadBalancer', ports: [{ targetPort: 'link' }] })
    const allowed = find('NetworkPolicy').spec.ingress.flatMap((rule: Body) => rule.ports.map(({ port }: Body) => port))
    expect(allowed.sort()).toEqual(ports.sort())
    expect(pod.serviceAccountName).toBe(find('ServiceAccount').metadata.name)
    expect(JSON.stringify(pod.affinity)).toContain(`{"key":"${edgeLabel}","operator":"DoesNotExist"}`)
  })

  it('is applied, as far as the embedded API knows the kinds', async () => {
    const server = await startTestServer()
    onTestFinished(() => server.stop())
    const kubectl = openKubectl(program ?? '', server.kubeconfig)
    onTestFinished(() => kubectl.close())
    const served = ['Namespace', 'ServiceAccount', 'CustomResourceDefinition']
    const input = objects
      .filter(({ kind }) => served.includes(kind))
      .map((object) => stringify(object))
      .join('---\n')
    const output = await kubectl.run('apply -f -', { input })
    expect(output).toMatchObject({ code: 0, stderr: '' })
    expect(output.stdout.split('\n').filter((line) => line.endsWith(' created'))).toHaveLength(4)
  })
})
