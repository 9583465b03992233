import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Kube, minorOf, openKube, removeNamespace } from '../../support/kube.ts'
import { findKubectl, type Kubectl, type Output, openKubectl } from '../../support/kubectl.ts'

const program = findKubectl()
if (program === undefined && process.env.CI) throw new Error('kubectl is not in PATH: CI must have one')

const root = join(import.meta.dirname, '../../..')
const crds = join(root, 'deploy/crds')

let kubectl: Kubectl
let kube: Kube
/** Of kubectl, for instance 1.32; what older ones lack is passed over. */
let version = 0
/** Of the server, for instance 32. */
let minor = 0

beforeAll(async () => {
  if (program === undefined) return
  kube = await openKube()
  kubectl = openKubectl(program, kube.kubeconfig)
  version = await kubectl.version()
  minor = await minorOf(kube)
  const taken = (await kube.get('/apis/devices.kubeedge.io')).code !== 404
  if (!kube.embedded && taken) throw new Error('Kedge is installed in this cluster: these tests delete its definitions')
})

afterAll(async () => {
  if (kube?.embedded === false) for (const name of ['shop', 'empty']) await removeNamespace(kube, name)
  kubectl?.close()
  await kube?.close()
})

/** Runs a line that must succeed; its output, with runs of blanks made one. */
async function ok(line: string, more?: { input?: string; editor?: string }): Promise<string> {
  const output = await kubectl.run(line, more)
  expect(output, line).toMatchObject({ code: 0 })
  return output.stdout.replaceAll(/ +/g, ' ').trimEnd()
}

async function fails(line: string, more?: { input?: string }): Promise<Output> {
  const output = await kubectl.run(line, more)
  expect(output.code, `${line}\n${output.stdout}`).not.toBe(0)
  return output
}

const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, namespace: shop}
data: {a: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: sec, namespace: shop}
stringData: {password: hidden}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  nodeName: edge-2
  containers:
  - {name: web, image: "nginx:1", ports: [{containerPort: 80}]}
  - {name: side, image: "side:1"}
`

const title = program === undefined ? 'kubectl (skipped: not in PATH)' : 'kubectl'
describe.skipIf(program === undefined)(title, { sequential: true }, () => {
  it('applies several documents, twice, and with changes', async () => {
    expect(await ok('apply -f -', { input: shop })).toBe(
      ['namespace/shop created', 'configmap/conf created', 'secret/sec created', 'pod/web created'].join('\n'),
    )
    const again = await ok('apply -f -', { input: shop })
    expect(again).toContain('configmap/conf unchanged')
    expect(again).toContain('pod/web unchanged')
    const changed = await ok('apply -f -', { input: shop.replace('a: "1"', 'a: "2"').replace('nginx:1', 'nginx:2') })
    expect(changed).toContain('configmap/conf configured')
    expect(changed).toContain('pod/web configured')
    expect(await ok('get cm conf -n shop -o jsonpath={.data.a}')).toBe('2')
  })

  it('removes what a manifest no longer names', async () => {
    const without = shop.replace('data: {a: "1"}', 'data: {b: "1"}')
    await ok('apply -f -', { input: without })
    expect(await ok("get cm conf -n shop -o jsonpath='{.data}'")).toBe('{"b":"1"}')
    await ok('apply -f -', { input: shop })
  })

  it('shows the difference', async () => {
    expect((await kubectl.run('diff -f -', { input: shop })).code).toBe(0)
    const differs = await kubectl.run('diff -f -', { input: shop.replace('a: "1"', 'a: "9"') })
    expect(differs.code).toBe(1)
    expect(differs.stdout).toMatch(/^\+ {2}a: "9"$/m)
  })

  it('does as if', async () => {
    const input = shop.replace('name: conf', 'name: other')
    expect(await ok('apply --dry-run=server -f -', { input })).toContain('configmap/other created (server dry run)')
    await fails('get cm other -n shop')
  })

  it('refuses a manifest with its field', async () => {
    const wrong = await fails('apply -f -', { input: shop.replace('name: web, image', 'name: We_b, image') })
    expect(wrong.stderr).toContain('spec.containers[0].name: Invalid value: "We_b"')

    const unknown = await fails('apply -f -', { input: shop.replace('nodeName:', 'nodName:') })
    expect(unknown.stderr).toMatch(/unknown field "(spec\.)?nodName"/)
  })

  it('gets in every form', async () => {
    expect(await ok('get pods -n shop')).toMatch(/^NAME READY STATUS RESTARTS AGE\nweb 0\/2 Pending 0 \d+s$/)
    expect(await ok('get pod web -n shop -o wide')).toMatch(
      /NODE NOMINATED NODE READINESS GATES\nweb .* edge-2 <none> <none>$/,
    )
    expect(await ok('get pod/web -n shop -o name')).toBe('pod/web')
    expect(await ok('get po -A --no-headers')).toMatch(/^shop web 0\/2 Pending/)
    expect(JSON.parse(await ok('get pod web -n shop -o json'))).toMatchObject({
      kind: 'Pod',
      metadata: { name: 'web' },
    })
    expect(await ok('get pod web -n shop -o yaml')).toMatch(/^apiVersion: v1\nkind: Pod\n/)
    expect(await ok('get pod,cm,secret -n shop')).toMatch(/pod\/web[\s\S]*configmap\/conf[\s\S]*secret\/sec/)
    expect(await ok('get cm,secret -n shop -o json')).toContain('"kind": "List"')
    expect(await ok("get pods -n shop -o jsonpath='{.items[*].spec.containers[*].image}'")).toBe('nginx:1 side:1')
    expect(await ok('get pods -n shop -o custom-columns=N:.metadata.name,I:.spec.containers[0].image')).toBe(
      'N I\nweb nginx:1',
    )
    expect(await ok("get pods -n shop -o go-template='{{range .items}}{{.metadata.name}}{{end}}'")).toBe('web')
    expect(await ok('get ns --sort-by=.metadata.name -o name')).toMatch(/^namespace\/default\n[\s\S]*namespace\/shop$/)
    expect(await ok('get all -n shop')).toMatch(/^(pod\/)?web /m)
  })

  it('selects', async () => {
    expect(await ok('get pods -n shop -l app=web -o name')).toBe('pod/web')
    expect(await ok("get pods -n shop -l 'app in (web,api),!gone' -o name")).toBe('pod/web')
    expect(await ok('get pods -n shop -l app!=web -o name')).toBe('')
    expect(await ok('get pods -A --field-selector spec.nodeName=edge-2 -o name')).toBe('pod/web')
    expect(await ok('get pods -A --field-selector spec.nodeName=edge-9 -o name')).toBe('')
    expect(await ok('get pods -n shop -L app')).toMatch(/web$/)
    expect(await ok('get pods -n shop --show-labels')).toContain('app=web')
    expect((await fails('get pods --field-selector spec.image=x')).stderr).toContain('field label not supported')
    expect(await ok('get pods -A --chunk-size=1 -o name')).toBe('pod/web')
  })

  it('describes', async () => {
    const pod = await ok('describe pod web -n shop')
    expect(pod).toMatch(/^Name: web$/m)
    expect(pod).toMatch(/^Node: edge-2\/?$/m)
    expect(pod).toMatch(/^ Image: nginx:1$/m)
    expect(await ok('describe cm conf -n shop')).toMatch(/^a:\n----\n1$/m)
    expect(await ok('describe secret sec -n shop')).toContain('password: 6 bytes')
    expect(await ok('describe ns shop')).toContain('Status: Active')
  })

  it('labels and annotates', async () => {
    expect(await ok('label pod web -n shop tier=front')).toBe('pod/web labeled')
    expect((await fails('label pod web -n shop tier=back')).stderr).toContain('already has a value')
    await ok('label pod web -n shop tier=back --overwrite')
    await ok('label pod web -n shop tier-')
    expect(await ok("get pod web -n shop -o jsonpath='{.metadata.labels}'")).toBe('{"app":"web"}')
    expect(await ok('annotate cm conf -n shop note=hello')).toBe('configmap/conf annotated')
    expect(await ok('get cm conf -n shop -o jsonpath={.metadata.annotations.note}')).toBe('hello')
  })

  it('patches in each way', async () => {
    expect(await ok(`patch cm conf -n shop -p '{"data":{"b":"2"}}'`)).toBe('configmap/conf patched')
    await ok(`patch cm conf -n shop --type merge -p '{"data":{"b":null,"c":"3"}}'`)
    await ok(`patch cm conf -n shop --type json -p '[{"op":"add","path":"/data/d","value":"4"}]'`)
    expect(await ok("get cm conf -n shop -o jsonpath='{.data}'")).toBe('{"a":"1","c":"3","d":"4"}')
    await ok(`patch pod web -n shop -p '{"spec":{"containers":[{"name":"side","image":"side:2"}]}}'`)
    expect(await ok("get pod web -n shop -o jsonpath='{.spec.containers[*].image}'")).toBe('nginx:1 side:2')
    expect(await ok(`patch cm conf -n shop -p '{"data":{"d":"4"}}'`)).toBe('configmap/conf patched (no change)')
  })

  it('edits', async () => {
    const editor = kubectl.file('editor', '#!/bin/sh\nsed -i \'s/c: "3"/c: "33"/\' "$1"\n')
    expect(await ok('edit cm conf -n shop', { editor })).toContain('configmap/conf edited')
    expect(await ok('get cm conf -n shop -o jsonpath={.data.c}')).toBe('33')
    const nothing = await kubectl.run('edit cm conf -n shop', { editor: 'true' })
    expect(nothing.stdout + nothing.stderr).toContain('Edit cancelled, no changes made')
  })

  it('creates without a manifest', async () => {
    const file = kubectl.file('app.conf', 'x=1\n')
    expect(await ok(`create cm made -n shop --from-literal=k=v --from-file=${file}`)).toBe('configmap/made created')
    expect(await ok("get cm made -n shop -o jsonpath='{.data.app\\.conf}'")).toBe('x=1')
    expect(await ok('create secret generic made -n shop --from-literal=k=v')).toBe('secret/made created')
    expect(await ok('get secret made -n shop -o jsonpath={.data.k}')).toBe('dg==')
    expect(await ok('create ns empty')).toBe('namespace/empty created')
    expect(await ok('create sa robot -n shop')).toBe('serviceaccount/robot created')
    expect(await ok('run tool -n shop --image=tool:1 --restart=Never')).toBe('pod/tool created')
    expect((await fails('create cm made -n shop')).stderr).toContain('configmaps "made" already exists')
    expect((await fails('create cm made -n nowhere')).stderr).toContain('namespaces "nowhere" not found')
    expect(
      await ok('replace -f -', { input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made, namespace: shop}\n' }),
    ).toBe('configmap/made replaced')
  })

  it('serves definitions at once', async () => {
    expect(await ok(`apply -f ${crds}`)).toContain('devices.devices.kubeedge.io created')
    expect(await ok(`apply -f ${crds}`)).not.toContain('configured')
    await ok('wait --for=condition=Established crd/devices.devices.kubeedge.io --timeout=5s')
    const example = join(root, 'deploy/examples/thermostat.yaml')
    expect(await ok(`apply -f ${example}`)).toContain('device.devices.kubeedge.io/thermostat created')
    expect(await ok(`apply -f ${example}`)).toContain('device.devices.kubeedge.io/thermostat unchanged')
    expect(await ok('get devices')).toMatch(/^NAME .*AGE\nthermostat /)
    expect(await ok('describe device thermostat')).toMatch(/^Kind: Device$/m)
    const patch = `'[{"op":"replace","path":"/spec/properties/0/desired/value","value":"25"}]'`
    await ok(`patch device thermostat --type json -p ${patch}`)
    expect(await ok("get device thermostat -o jsonpath='{.spec.properties[0].desired.value}'")).toBe('25')
    const bad = readFileSync(example, 'utf8').replace('kind: Device\n', 'kind: Device\nbogus: 1\n')
    if (minor >= 25) expect((await fails('apply -f -', { input: bad })).stderr).toContain('unknown field "bogus"')
    expect(await ok('get device.v1beta1.devices.kubeedge.io thermostat -o name')).toBe(
      'device.devices.kubeedge.io/thermostat',
    )
    expect(await ok('delete device thermostat')).toContain('"thermostat" deleted')
  })

  it('knows what there is', async () => {
    expect(await ok('api-resources')).toMatch(/^pods po v1 true Pod$/m)
    expect(await ok('api-resources --namespaced=false -o name')).toMatch(/^nodes$/m)
    expect(await ok('api-resources --api-group=devices.kubeedge.io')).toContain('Device')
    expect(await ok('api-versions')).toMatch(/^coordination\.k8s\.io\/v1$/m)
    expect(await ok('version')).toContain('Server Version')
    expect(await ok('get --raw /readyz')).toBe('ok')

    expect(await ok('explain pod.spec.containers.image')).toContain('FIELD: image <string>')
    expect(await ok('explain device.spec.nodeName')).toContain('KIND: Device')
    expect(await ok('explain pod --recursive')).toContain('terminationGracePeriodSeconds')
  })

  it('knows who one is and what one may', async () => {
    expect(await ok('auth can-i create pods')).toBe('yes')
    expect(await ok('auth can-i --list')).toContain('*.*')
    if (version >= 1.28 && minor >= 28) expect(await ok('auth whoami')).toContain('kubernetes-admin')
  })

  it('works on nodes', async () => {
    const node = 'apiVersion: v1\nkind: Node\nmetadata: {name: edge-9, labels: {node-role.kubernetes.io/edge: ""}}\n'
    await ok('apply -f -', { input: node })
    const ready = { type: 'Ready', status: 'True', reason: 'EdgeReady', message: '', lastHeartbeatTime: null }
    await kube.call({
      method: 'PATCH',
      path: '/api/v1/nodes/edge-9/status',
      body: { status: { conditions: [ready], nodeInfo: { kubeletVersion: 'v1.32.0-kedge' } } },
      type: 'application/merge-patch+json',
    })
    expect(await ok('get nodes')).toMatch(/^NAME STATUS ROLES AGE VERSION\nedge-9 Ready edge \d+s v1\.32\.0-kedge$/)
    await ok('wait --for=condition=Ready node/edge-9 --timeout=5s')
    expect(await ok('cordon edge-9')).toBe('node/edge-9 cordoned')
    expect(await ok('get node edge-9')).toContain('Ready,SchedulingDisabled')
    expect(await ok('uncordon edge-9')).toBe('node/edge-9 uncordoned')
    expect(await ok('taint node edge-9 only=edge:NoSchedule')).toBe('node/edge-9 tainted')
    expect(await ok('describe node edge-9')).toContain('only=edge:NoSchedule')
    expect(await ok('taint node edge-9 only-')).toBe('node/edge-9 untainted')
    expect(await ok('get events -n shop')).toBe('')
    expect(await ok('delete node edge-9')).toBe('node "edge-9" deleted')
  })

  it('moves pods away from a node', async () => {
    await ok('apply -f -', { input: 'apiVersion: v1\nkind: Node\nmetadata: {name: edge-8}\n' })
    const at = `'{"spec":{"nodeName":"edge-8","terminationGracePeriodSeconds":0}}'`
    await ok(`run guest -n shop --image=guest:1 --overrides=${at}`)
    expect(await ok('set image pod/guest guest=guest:2 -n shop')).toBe('pod/guest image updated')
    expect(await ok('label pods --all -n shop seen=yes')).toContain('pod/guest labeled')
    await ok('drain edge-8 --force --grace-period=0 --timeout=10s')
    expect(await ok('get pods -n shop -o name')).not.toContain('guest')
    expect(await ok('get node edge-8 -o jsonpath={.spec.unschedulable}')).toBe('true')
    await ok('delete node edge-8')
  })

  it('replaces by force, and waits', async () => {
    const input = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: forced, namespace: shop}\n'
    await ok('create -f -', { input })
    const uid = await ok('get cm forced -n shop -o jsonpath={.metadata.uid}')
    expect(await ok('replace --force -f -', { input })).toContain('configmap/forced replaced')
    expect(await ok('get cm forced -n shop -o jsonpath={.metadata.uid}')).not.toBe(uid)
    const gone = kubectl.run('wait --for=delete cm/forced -n shop --timeout=20s')
    await ok('delete cm forced -n shop')
    // Older ones fail when it was gone before they looked.
    expect((await gone).stderr).toMatch(/^$|not found/)
    expect((await fails('wait --for=condition=Ready pod/web -n shop --timeout=1s')).stderr).toContain('timed out')
  })

  it('shows events', async () => {
    const uid = await ok('get pod web -n shop -o jsonpath={.metadata.uid}')
    await kube.create('/api/v1/namespaces/shop/events', {
      metadata: { name: 'web.1' },
      involvedObject: { kind: 'Pod', name: 'web', namespace: 'shop', uid },
      reason: 'Pulled',
      message: 'The image is there',
      type: 'Normal',
      lastTimestamp: new Date().toISOString().replace(/\.\d+/, ''),
    })
    expect(await ok('get events -n shop')).toMatch(
      /^LAST SEEN TYPE REASON OBJECT MESSAGE\n\S+ Normal Pulled pod\/web The image/,
    )
    expect(await ok('describe pod web -n shop')).toMatch(/Normal +Pulled .*The image is there/)
    if (version >= 1.26) expect(await ok('events -n shop')).toContain('The image is there')
  })

  it('watches', async () => {
    const there = await kubectl.lines('get cm -n shop -w --no-headers', 2)
    expect(there.map((line) => line.split(' ')[0])).toEqual(['conf', 'made'])
    const changes = kubectl.lines(`get cm made -n shop -w -o jsonpath='{.data.n}{"\\n"}'`, 2)
    for (let n = 0; n < 3; n++) await ok(`patch cm made -n shop -p '{"data":{"n":"${n}"}}'`)
    expect((await changes).length).toBe(2)
  })

  it('deletes, with grace, with selectors, with everything in a namespace', async () => {
    expect(await ok('delete pod web -n shop --wait=false')).toMatch(/^pod "web" deleted/)
    expect(await ok('get pods web -n shop --no-headers')).toContain('Terminating')
    await ok('delete pod web -n shop --grace-period=0 --force')
    expect((await fails('get pod web -n shop')).stderr).toContain('Error from server (NotFound): pods "web" not found')
    expect(await ok('delete cm -n shop -l none=such')).toBe('No resources found')
    expect(await ok('delete cm conf made -n shop')).toMatch(/"conf" deleted.*\n.*"made" deleted/)
    expect(await ok('delete cm gone -n shop --ignore-not-found')).toBe('')
    // Elsewhere a controller ends an orphaning.
    const cascade = kube.embedded ? 'orphan' : 'background'
    expect(await ok(`delete secret --all -n shop --cascade=${cascade}`)).toContain('deleted')
    // Elsewhere a controller empties it, where there is one.
    if (kube.embedded) {
      expect(await ok('delete ns shop empty --timeout=20s')).toContain('namespace "shop" deleted')
      expect((await fails('get ns shop')).stderr).toContain('namespaces "shop" not found')
    }
    expect(await ok(`delete -f ${crds}`)).toContain('deleted')
    expect((await fails('get devices')).stderr).toMatch(/have a resource type|could not find the requested/)
  })
})
