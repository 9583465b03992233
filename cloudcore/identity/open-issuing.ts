import { readFileSync } from 'node:fs'
import { type Clock, rfc3339 } from '@kedge/shared/clock'
import { explain, UserError } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type Service, stopAll } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import { BuiltInCa, followCa } from './built-in.ts'
import { SecretCaStore } from './ca-store.ts'
import { certificateRequests } from './cert-manager.ts'
import type { ServerNames } from './certificates.ts'
import { rootsIn, validityOf } from './chain.ts'
import type { HeldCertificate, Issuer, LinkCertificate } from './issuer.ts'
import { type IssuerName, issuerText, ownSigner } from './issuer-name.ts'
import { KeptRoots } from './kept-roots.ts'
import { signingRequests } from './kubernetes-csr.ts'
import { OwnLinkCertificate } from './link-certificate.ts'
import { LinkCertificateFiles } from './link-certificate-files.ts'
import { RequestIssuer } from './request-issuer.ts'
import { sealingKey } from './sealed-key.ts'
import { bundle } from './x509.ts'

export interface IssuingSettings {
  /** The built-in one unless given. */
  issuer?: IssuerName | undefined
  /** PEM file: what else nodes must trust. */
  issuerRoots?: string | undefined
  /** What the key of the authority is sealed with; without it the Secret holds it as it is. */
  caKeyFile?: string | undefined
  linkTlsCert?: string | undefined
  linkTlsKey?: string | undefined
}

interface Options {
  kube: Kube
  settings: IssuingSettings
  /** The names under which nodes reach cloudcore. */
  names: ServerNames
  clock: Clock
  log: Log
}

/** All that signs: for nodes, and for cloudcore's end of the link. */
export interface Issuing extends Service {
  /** Its `roots()` have all that nodes must trust, also where other parties sign for them and for the link. */
  issuer: Issuer
  certificate: LinkCertificate
  /** cloudcore's own authority. */
  ca: BuiltInCa
}

/** Opens the issuer and the link's certificate that the settings name. Throws a UserError for settings that don't fit. */
export async function openIssuing({ kube, settings, names, clock, log }: Options): Promise<Issuing> {
  const started: Service[] = []
  const add = <T extends Service>(service: T): T => {
    started.push(service)
    return service
  }
  const stop = () => stopAll(started.splice(0), (error) => log.error({ reason: explain(error) }, 'stop issuing'))
  try {
    const key = settings.caKeyFile === undefined ? undefined : sealingKey(settings.caKeyFile)
    const store = new SecretCaStore(kube, key)
    const ca = await BuiltInCa.open({ store, clock })
    add(followCa({ ca, store, kube, clock, log }))
    warnOfEnd(ca, clock, log)
    const files = linkFiles(settings)
    const certificate =
      files === undefined
        ? add(await OwnLinkCertificate.open({ ca, names, clock, log }))
        : add(await LinkCertificateFiles.open({ files, log }))
    const given = settings.issuerRoots === undefined ? '' : readRoots(settings.issuerRoots)
    const own = await signerOf(settings.issuer ?? { is: 'built-in' }, { ca, kube, clock, log, given, add })
    const roots = () => [given, certificate instanceof LinkCertificateFiles ? certificate.root() : '']
    const issuer =
      own === ca && files === undefined && given === '' ? ca : new WithRoots(own, ca, { roots, certificate })
    return { issuer, certificate, ca, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const year = 365 * 24 * 3600 * 1000

/** Nodes need time to hear of another authority: a board may be away for long. */
function warnOfEnd(ca: BuiltInCa, clock: Clock, log: Log): void {
  const { to } = validityOf(ca.roots())
  if (to - clock.now() > year) return
  log.warn({ ends: rfc3339(to), todo: 'cloudcore ca rotate' }, 'ca ends soon')
}

interface SignerParts {
  ca: BuiltInCa
  kube: Kube
  clock: Clock
  log: Log
  /** PEM. */
  given: string
  add: <T extends Service>(service: T) => T
}

async function signerOf(name: IssuerName, { ca, kube, clock, log, given, add }: SignerParts): Promise<Issuer> {
  if (name.is === 'built-in') return ca
  const roots = await KeptRoots.open(kube, () => clock.now())
  const parts = { name: issuerText(name), kube, roots, given, clock, log }
  if (name.is === 'cert-manager') return add(new RequestIssuer({ ...parts, kind: certificateRequests(name) }))
  const windows = name.signer === ownSigner ? ca : undefined
  return add(new RequestIssuer({ ...parts, kind: signingRequests(name, ca), windows }))
}

function linkFiles({ linkTlsCert: cert, linkTlsKey: key, issuerRoots: roots }: IssuingSettings) {
  if (cert === undefined && key === undefined) return undefined
  if (cert !== undefined && key !== undefined) return { cert, key, roots }
  const [found, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key']
  throw new UserError(`--link-tls-${found} is given without --link-tls-${missing}: give both, or none`)
}

function readRoots(path: string): string {
  const roots = rootsIn(readText(path))
  if (roots === '') {
    throw new UserError(`--issuer-roots ${path}: no root found; give certificates in PEM that sign themselves`)
  }
  return roots
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`--issuer-roots ${path} cannot be read: ${explain(error)}`, { cause: error })
  }
}

/** An issuer with the roots of all who take part: its own, cloudcore's, those that are given, the link's. */
class WithRoots implements Issuer {
  readonly name: string
  readonly #issuer: Issuer
  readonly #ca: BuiltInCa
  readonly #others: { roots: () => string[]; certificate: LinkCertificate }

  constructor(issuer: Issuer, ca: BuiltInCa, others: { roots: () => string[]; certificate: LinkCertificate }) {
    this.name = issuer.name
    this.#issuer = issuer
    this.#ca = ca
    this.#others = others
  }

  sign(...request: Parameters<Issuer['sign']>): ReturnType<Issuer['sign']> {
    return this.#issuer.sign(...request)
  }

  roots(): string {
    return bundle(this.#issuer.roots(), this.#ca.roots(), ...this.#others.roots())
  }

  renewalWindow(node: string, held: HeldCertificate): ReturnType<Issuer['renewalWindow']> {
    return this.#issuer.renewalWindow(node, held)
  }

  onChange(listener: () => void): () => void {
    const ends = [this.#issuer, this.#ca, this.#others.certificate].map((part) => part.onChange(listener))
    return () => {
      for (const end of ends) end()
    }
  }
}
