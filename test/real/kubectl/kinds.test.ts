import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Kube, minorOf, openKube, removeNamespace } from '../../support/kube.ts'
import { findKubectl, type Kubectl, openKubectl } from '../../support/kubectl.ts'

const program = findKubectl()
if (program === undefined && process.env.CI) throw new Error('kubectl is not in PATH: CI must have one')

let kubectl: Kubectl
let kube: Kube
let minor = 0

beforeAll(async () => {
  if (program === undefined) return
  kube = await openKube()
  kubectl = openKubectl(program, kube.kubeconfig)
  minor = await minorOf(kube)
})

afterAll(async () => {
  if (kube !== undefined) await removeNamespace(kube, 'kinds')
  kubectl?.close()
  await kube?.close()
})

/** Runs a line that must succeed; its output, with runs of blanks made one. */
async function ok(line: string, more?: { input?: string; editor?: string }): Promise<string> {
  const output = await kubectl.run(line, more)
  expect(output, line).toMatchObject({ code: 0 })
  return output.stdout.replaceAll(/ +/g, ' ').trimEnd()
}

/** What a line that must fail says. */
async function fails(line: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl.run(line)
  expect(code, `${line}\n${stdout}`).not.toBe(0)
  return stderr
}

/** Of `CN=system:node:edge-7, O=system:nodes`; nobody has its key any more. */
const request = `-----BEGIN CERTIFICATE REQUEST-----
MIHwMIGWAgEAMDQxFTATBgNVBAoMDHN5c3RlbTpub2RlczEbMBkGA1UEAwwSc3lz
dGVtOm5vZGU6ZWRnZS03MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXqDC6CsE
wq3kZJK8kyNHsV7ByrNh2rIKB9twbPqJsWhHGyfWJFC3CKpnwpbA8kZBkVvkERg0
pVnF0PdEhqSEJ6AAMAoGCCqGSM49BAMCA0kAMEYCIQDxPhPnJAsthp9LWjUA5BCi
/MCuKRTi/+xFoSkUarmRrAIhAJAAQO5BgpkS4KwX9ikbRLsevdZzF88RXsBGDD+e
5RFj
-----END CERTIFICATE REQUEST-----
`

const manifest = `
apiVersion: v1
kind: Namespace
metadata: {name: kinds}
---
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: edge-7}
spec: {request: ${Buffer.from(request).toString('base64')}, signerName: kedge.io/edge, usages: [client auth]}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: edge-7, namespace: kinds}
spec: {holderIdentity: edge-7, leaseDurationSeconds: 40}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: kinds}
---
apiVersion: events.k8s.io/v1
kind: Event
metadata: {name: e.1, namespace: kinds}
eventTime: "2026-01-01T00:00:00.000000Z"
reportingController: kedge.io/test
reportingInstance: test-1
action: Testing
reason: Tested
type: Normal
note: all is well
regarding: {kind: ServiceAccount, namespace: kinds, name: robot}
`

const title = program === undefined ? 'kubectl, kind by kind (skipped: not in PATH)' : 'kubectl, kind by kind'
describe.skipIf(program === undefined)(title, { sequential: true }, () => {
  it('applies one of each', async () => {
    expect(await ok('apply -f -', { input: manifest })).toBe(
      [
        'namespace/kinds created',
        'certificatesigningrequest.certificates.k8s.io/edge-7 created',
        'lease.coordination.k8s.io/edge-7 created',
        'serviceaccount/robot created',
        'event.events.k8s.io/e.1 created',
      ].join('\n'),
    )
    expect(await ok('get lease,sa -n kinds')).toMatch(
      /^NAME HOLDER AGE\nlease\.coordination\.k8s\.io\/edge-7 edge-7 \d+s\n\nNAME SECRETS AGE\nserviceaccount\/(.*\n.*)?robot 0 \d+s$/,
    )
    expect(await ok('apply view-last-applied -n kinds lease/edge-7')).toContain('holderIdentity: edge-7')
    expect((await kubectl.run('diff -f -', { input: manifest })).code).toBe(0)
  })

  it('approves a certificate request', async () => {
    expect(await ok('get csr edge-7')).toMatch(/^NAME AGE SIGNERNAME REQUESTOR .*CONDITION\nedge-7 .* Pending$/)
    expect(await ok('certificate approve edge-7')).toBe('certificatesigningrequest.certificates.k8s.io/edge-7 approved')
    expect(await ok('get csr edge-7 --no-headers')).toMatch(/Approved$/)
    expect(await fails('certificate deny edge-7')).toContain('is already Approved')
    const described = await ok('describe csr edge-7')
    expect(described).toMatch(/^Status: Approved$/m)
    expect(described).toMatch(/^ Common Name: system:node:edge-7$/m)
  })

  it('describes each', async () => {
    expect(await ok('describe lease edge-7 -n kinds')).toMatch(/^ Holder Identity: edge-7$/m)
    expect(await ok('describe sa robot -n kinds')).toMatch(/^Image pull secrets: <none>$/m)
    expect(await ok('describe event e.1 -n kinds')).toMatch(/^Message: all is well$/m)
    expect(await fails('describe node none')).toContain('nodes "none" not found')
  })

  it('shows an event in both groups', async () => {
    const row = /^LAST SEEN TYPE REASON OBJECT MESSAGE\n\S+ Normal Tested serviceaccount\/robot all is well$/
    expect(await ok('get events -n kinds')).toMatch(row)
    expect(await ok('get events.v1.events.k8s.io -n kinds')).toMatch(row)
  })

  it('sorts, and waits for what a status says', async () => {
    for (const [name, tier] of Object.entries({ a: '2', b: '1' })) {
      await ok(`run ${name} -n kinds --image=tool:1 --labels=tier=${tier}`)
    }
    expect(await ok('get pods -n kinds --sort-by=.metadata.labels.tier -o name')).toBe('pod/b\npod/a')
    expect(await ok("get pods -n kinds --sort-by='{.metadata.name}' -o name")).toBe('pod/a\npod/b')
    await ok("wait --for=jsonpath='{.status.phase}'=Pending pod/a -n kinds --timeout=5s")
    const status = `'{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'`
    expect(await ok(`patch pod a -n kinds --subresource=status --type=merge -p ${status}`)).toBe('pod/a patched')
    expect(await ok('wait --for=condition=Ready pod/a -n kinds --timeout=5s')).toBe('pod/a condition met')
    expect(await ok('get pod a -n kinds --no-headers')).toMatch(/^a 0\/1 Running /)
  })

  it('deletes with each cascade', async () => {
    // Elsewhere a controller ends the two that are not the usual one.
    const [foreground, orphan] = kube.embedded ? ['foreground', 'orphan'] : ['background', 'background']
    expect(await ok(`delete pod a -n kinds --cascade=${foreground} --now`)).toMatch(/^pod "a" deleted/)
    expect(await ok('delete pod b -n kinds --cascade=background --grace-period=0')).toMatch(/^pod "b" deleted/)
    expect(await ok(`delete lease edge-7 -n kinds --cascade=${orphan}`)).toMatch(/"edge-7" deleted/)
    expect(await ok('get pods,leases -n kinds -o name')).toBe('')
  })

  it('annotates, lists labels, and changes nothing in a dry run', async () => {
    await ok('annotate sa robot -n kinds note=one')
    expect(await fails('annotate sa robot -n kinds note=two')).toContain("'note' already has a value (one)")
    await ok('annotate sa robot -n kinds note=two --overwrite')
    await ok('label sa robot -n kinds kind=machine')
    expect(await ok('label --list sa robot -n kinds')).toBe('kind=machine')
    const dry = await ok('label sa -n kinds robot a=b --dry-run=server')
    expect(dry).toBe('serviceaccount/robot labeled (server dry run)')
    expect(await ok('label --list sa robot -n kinds')).toBe('kind=machine')
  })

  it('knows what another one may', async () => {
    expect((await kubectl.run('auth can-i delete nodes --as someone')).stdout).toMatch(/^no\b/)
    expect(await fails('get nodes --as someone')).toContain('User "someone" cannot list resource "nodes"')
    if (kube.embedded) {
      expect(await ok('auth can-i get nodes/edge-7 --as system:node:edge-7 --as-group system:nodes')).toBe('yes')
      expect(await ok('auth whoami --as someone -o jsonpath={.status.userInfo.username}')).toBe('someone')
    }
  })

  it('explains each, and says which verbs go', async () => {
    expect(await ok('explain csr.spec')).toContain('signerName')
    expect(await ok('explain lease.spec --recursive')).toMatch(/renewTime\s<string>/)
    expect(await ok('explain event --api-version=events.k8s.io/v1')).toContain('regarding')
    expect(await ok('api-resources --api-group=certificates.k8s.io --no-headers')).toMatch(
      /^certificatesigningrequests csr certificates\.k8s\.io\/v1 false CertificateSigningRequest/m,
    )
    expect(await ok('api-resources --verbs=list,get -o name')).toMatch(/^leases\.coordination\.k8s\.io$/m)
  })

  it('says what is not served', async ({ skip }) => {
    skip(!kube.embedded, 'a real cluster serves it')
    expect(await fails('get deployments')).toContain(`the server doesn't have a resource type "deployments"`)
    expect(await fails('create deployment x --image=y')).toContain('could not find the requested resource')
    expect(await fails('create token robot -n kinds')).toContain('serviceaccounts/token is not served here')
    const applied = await kubectl.run('apply --server-side -f -', { input: manifest })
    expect([applied.code, applied.stderr]).toEqual([1, expect.stringContaining('Server-side apply not available')])
  })

  it('edits a status, and gives back what an edit spoiled', async ({ skip }) => {
    skip(minor < 24, 'edit --subresource: since v1.24')
    await ok('run edited -n kinds --image=tool:1')
    const phase = kubectl.file('phase', '#!/bin/sh\nsed -i "s/phase: Pending/phase: Failed/" "$1"\n')
    await ok('edit pod edited -n kinds --subresource=status', { editor: phase })
    expect(await ok('get pod edited -n kinds -o jsonpath={.status.phase}')).toBe('Failed')
    const spoil = kubectl.file('spoil', '#!/bin/sh\nsed -i "s/image: tool:1/image: \'\'/" "$1"\n')
    const spoiled = await kubectl.run('edit pod edited -n kinds', { editor: spoil })
    expect([spoiled.code, spoiled.stderr]).toEqual([1, expect.stringContaining('pods "edited" is invalid')])
  })

  it('deletes what a manifest names', async () => {
    const input = manifest.slice(manifest.indexOf('---'))
    const output = await kubectl.run('delete -f - --ignore-not-found', { input })
    expect(output).toMatchObject({ code: 0 })
    expect(output.stdout).toContain('certificatesigningrequest.certificates.k8s.io "edge-7" deleted')
    expect(await ok('get csr -o name')).not.toContain('edge-7')
  })
})
