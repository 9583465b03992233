import { readFileSync } from 'node:fs'
import { BuiltInCa } from '@kedge/cloudcore/identity/built-in'
import { certificateRequests } from '@kedge/cloudcore/identity/cert-manager'
import type { Issuer } from '@kedge/cloudcore/identity/issuer'
import { issuerText, ownSigner } from '@kedge/cloudcore/identity/issuer-name'
import { KeptRoots } from '@kedge/cloudcore/identity/kept-roots'
import { signingRequests } from '@kedge/cloudcore/identity/kubernetes-csr'
import { RequestIssuer } from '@kedge/cloudcore/identity/request-issuer'
import type { Kube } from '@kedge/cloudcore/kube/api'
import { openKube as openClient } from '@kedge/cloudcore/kube/client'
import { hasCode, KubeError } from '@kedge/cloudcore/kube/errors'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import { parse } from 'yaml'
import { MemoryCaStore } from '../../support/ca-store.ts'
import { eventually } from '../../support/eventually.ts'
import { openKube, uniqueName } from '../../support/kube.ts'
import { needed } from '../../support/rights.ts'
import { certManagerDialect, kubernetesDialect } from './dialects.ts'
import { Signer } from './signer.ts'

export interface OpenOptions {
  /** Milliseconds. */
  patience?: number
  /** Only others may approve. */
  mayApprove?: boolean
  /** The API knows the kind of its requests. */
  known?: boolean
}

/** One issuer, with whoever signs for it. */
export interface IssuerRig {
  /** Opens the issuer, as cloudcore does when it starts. */
  open(options?: OpenOptions): Promise<Issuer & Partial<Service>>
  /** What the issuer has needed so far of the API, beside Secrets. */
  used?: Set<string>
  /** Where somebody else signs. */
  signer?: Signer
  close?(): Promise<void>
}

export interface Suite {
  name: string
  /** Somebody else signs: its rig has a signer. */
  others: boolean
  /** The folder in `deploy/kubernetes/issuers` with its rights. */
  component?: string
  start(api: Api): Promise<IssuerRig>
}

export interface Api {
  kube: Kube
  embedded: boolean
  close(): Promise<void>
}

/** The API under test, with the namespace of cloudcore in it. */
export async function openApi(): Promise<Api> {
  const api = await openKube()
  const kube = openClient({ kubeconfig: api.kubeconfig })
  await kube
    .create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kedge' } })
    .catch(passOver(409))
  return {
    kube,
    embedded: api.embedded,
    async close() {
      kube.close()
      await api.close()
    },
  }
}

function passOver(...codes: number[]) {
  return (error: unknown) => {
    if (!codes.some((code) => hasCode(error, code))) throw error
  }
}

/** As for an account without the right to approve for a signer. */
function withoutApproval(kube: Kube): Kube {
  return {
    async update(path: string, object: KubeObject) {
      if (JSON.stringify(object.status).includes('"kedge.io"')) throw new KubeError('not yours', { code: 403 })
      return kube.update(path, object)
    },
    get: (path: string) => kube.get(path),
    list: kube.list.bind(kube),
    create: kube.create.bind(kube),
    delete: kube.delete.bind(kube),
    confirm: kube.confirm.bind(kube),
    watch: kube.watch.bind(kube),
    patch: kube.patch.bind(kube),
    patchStatus: kube.patchStatus.bind(kube),
    close: () => {},
  }
}

/** Notes down the rights that requests need: `update certificaterequests/status.cert-manager.io`. */
function noting(kube: Kube, used: Set<string>): Kube {
  const noted = (method: string, path: string, watch = false) => {
    const query = new URLSearchParams(watch ? { watch: '1' } : {})
    const right = needed({ method, path, query, body: '' })
    if (right !== undefined && right.resource !== 'secrets') used.add(`${right.verb} ${right.resource}`)
    return kube
  }
  return {
    ...withoutApproval(kube),
    get: (path) => noted('GET', path).get(path),
    list: (path, options) => noted('GET', path).list(path, options),
    create: (path, object) => noted('POST', path).create(path, object),
    update: (path, object) => noted('PUT', path).update(path, object),
    delete: (path, options) => noted('DELETE', path).delete(path, options),
    watch: (path, options) => noted('GET', path, true).watch(path, options),
  }
}

function accessTo(kube: Kube, used: Set<string>, { mayApprove = true, known = true }: OpenOptions): Kube {
  if (known) return mayApprove ? noting(kube, used) : withoutApproval(kube)
  const create = () => Promise.reject(new KubeError('the server could not find the requested resource', { code: 404 }))
  return { ...withoutApproval(kube), create }
}

const common = (kube: Kube) => ({ kube, clock: systemClock, log: silentLog })

export const suites: Suite[] = [
  {
    name: 'built-in',
    others: false,
    async start() {
      const store = new MemoryCaStore()
      return { open: () => BuiltInCa.open({ store, clock: systemClock }) }
    },
  },
  {
    name: 'kubernetes-csr',
    others: false,
    component: 'kubernetes-csr',
    async start({ kube }) {
      const used = new Set<string>()
      const store = new MemoryCaStore()
      const open = async ({ patience }: OpenOptions = {}) => {
        const ca = await BuiltInCa.open({ store, clock: systemClock })
        const roots = await KeptRoots.open(kube, Date.now)
        const kind = signingRequests({ is: 'kubernetes-csr', signer: ownSigner }, ca)
        return new RequestIssuer({
          ...common(noting(kube, used)),
          name: 'kubernetes-csr',
          kind,
          roots,
          given: '',
          windows: ca,
          patience,
        })
      }
      return { used, close: () => clean(kube), open }
    },
  },
  {
    name: 'kubernetes-csr of somebody else',
    others: true,
    async start({ kube }) {
      const used = new Set<string>()
      const name = { is: 'kubernetes-csr' as const, signer: `${uniqueName('test')}.kedge.example/edge` }
      const signer = await Signer.start(kube, kubernetesDialect(name.signer))
      const open = async ({ patience, ...access }: OpenOptions = {}) => {
        const ca = await BuiltInCa.open({ store: new MemoryCaStore(), clock: systemClock })
        const roots = await KeptRoots.open(kube, Date.now)
        const parts = { name: issuerText(name), kind: signingRequests(name, ca), roots, given: signer.root, patience }
        return new RequestIssuer({
          ...common(accessTo(kube, used, access)),
          ...parts,
        })
      }
      return { used, signer, close: () => clean(kube, { signer }), open }
    },
  },
  {
    name: 'cert-manager',
    others: true,
    component: 'cert-manager',
    async start({ kube, embedded }) {
      const used = new Set<string>()
      const removeCrd = await defineRequests(kube)
      // Where cert-manager itself runs, it leaves issuers of other groups alone.
      const group = embedded ? 'cert-manager.io' : `${uniqueName('test')}.kedge.example`
      const name = { is: 'cert-manager' as const, kind: 'ClusterIssuer', name: uniqueName('edge'), group }
      const signer = await Signer.start(kube, certManagerDialect({ name: name.name, kind: name.kind, group }))
      const open = async ({ patience, ...access }: OpenOptions = {}) => {
        const roots = await KeptRoots.open(kube, Date.now)
        const parts = { name: issuerText(name), kind: certificateRequests(name), roots, given: '', patience }
        return new RequestIssuer({
          ...common(accessTo(kube, used, access)),
          ...parts,
        })
      }
      return { used, signer, close: () => clean(kube, { signer, removeCrd }), open }
    },
  },
]

/** Where cert-manager is not there, its definition; returns what takes it away again. */
export async function defineRequests(kube: Kube): Promise<() => Promise<void>> {
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const definition = parse(readFileSync(new URL('certificate-requests.yaml', import.meta.url), 'utf8'))
  try {
    await kube.create(definitions, definition)
  } catch (error) {
    passOver(409)(error)
    return async () => {}
  }
  await eventually(() => kube.list('/apis/cert-manager.io/v1/certificaterequests'))
  return () => kube.delete(`${definitions}/${definition.metadata.name}`)
}

const requestPaths = [
  '/apis/certificates.k8s.io/v1/certificatesigningrequests',
  '/apis/cert-manager.io/v1/namespaces/kedge/certificaterequests',
]

/** What the suite has made: its nodes have names of their own. */
async function clean(kube: Kube, { signer, removeCrd }: { signer?: Signer; removeCrd?: () => Promise<void> } = {}) {
  await signer?.stop()
  for (const path of requestPaths) {
    const { items } = await kube.list(path).catch(() => ({ items: [] }))
    const ours = items.filter(({ metadata }) => metadata.annotations?.['kedge.io/node']?.startsWith('issuer-test-'))
    for (const { metadata } of ours) await kube.delete(`${path}/${metadata.name}`).catch(passOver(404))
  }
  await kube.delete('/api/v1/namespaces/kedge/secrets/kedge-issuer-roots').catch(passOver(404))
  await removeCrd?.()
}
