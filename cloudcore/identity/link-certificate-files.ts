import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { explain, UserError } from '@kedge/shared/errors'
import { pinOf } from '@kedge/shared/identity/token'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { Pair } from './certificates.ts'
import { rootOf } from './chain.ts'
import type { LinkCertificate } from './issuer.ts'
import { bundle, certificatesIn } from './x509.ts'

export interface CertificateFiles {
  /** PEM: the certificate of the server first, then its chain. */
  cert: string
  key: string
  /** PEM: where the root is when it is not in the chain, as with a Secret of cert-manager (`ca.crt`). */
  roots: string | undefined
}

interface Options {
  files: CertificateFiles
  log: Log
  /** Milliseconds between two looks; ten seconds unless given. */
  every?: number
}

/**
 * cloudcore's certificate on the link from files that somebody else renews. They are read again and again, as Kubernetes
 * swaps what it mounts by links that no watch follows well. What does not hold together is told once and the pair before
 * stays: certificate and key may be replaced one after the other.
 */
export class LinkCertificateFiles implements LinkCertificate, Service {
  readonly #options: Options
  readonly #listeners = new Set<() => void>()
  readonly #timer: NodeJS.Timeout
  #pair: Pair
  #told: string | undefined

  private constructor(options: Options, pair: Pair) {
    this.#options = options
    this.#pair = pair
    this.#timer = setInterval(() => void this.look(), options.every ?? 10_000)
    this.#timer.unref()
  }

  /** Throws a UserError when the files do not hold together. */
  static async open(options: Options): Promise<LinkCertificateFiles> {
    return new LinkCertificateFiles(options, await readPair(options.files))
  }

  current(): Pair {
    return this.#pair
  }

  /** The root that the chain leads to, PEM. */
  root(): string {
    return certificatesIn(this.#pair.cert).at(-1) ?? ''
  }

  pin(): string {
    return pinOf(new X509Certificate(this.root()))
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads the files; never throws. */
  async look(): Promise<void> {
    const { files, log } = this.#options
    try {
      const pair = await readPair(files)
      this.#told = undefined
      if (pair.cert === this.#pair.cert && pair.key === this.#pair.key) return
      this.#pair = pair
      log.info({ file: files.cert, ends: new X509Certificate(pair.cert).validTo }, 'link certificate read anew')
      for (const listener of [...this.#listeners]) listener()
    } catch (error) {
      const reason = explain(error)
      if (reason !== this.#told) log.error({ reason }, 'link certificate not read, the one before stays')
      this.#told = reason
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
  }
}

async function readPair(files: CertificateFiles): Promise<Pair> {
  const [cert, key] = await Promise.all([text(files.cert), text(files.key)])
  const roots = files.roots === undefined ? '' : await text(files.roots)
  const [leaf] = certificatesIn(cert)
  if (leaf === undefined)
    throw new UserError(`${files.cert}: no certificate found; give one in PEM, the server's first`)
  if (!belongs(leaf, key, files))
    throw new UserError(`${files.key} is not the key of ${files.cert}: give the one that is`)
  const root = rootOf(cert, roots)
  if (root === undefined) {
    throw new UserError(
      `${files.cert} leads to no root: append the certificates of its authority, up to the one that signs itself, or give that one with --issuer-roots`,
    )
  }
  return { cert: bundle(...certificatesIn(cert).filter((one) => one !== root), root), key }
}

function belongs(leaf: string, key: string, files: CertificateFiles): boolean {
  try {
    return new X509Certificate(leaf).checkPrivateKey(createPrivateKey(key))
  } catch (cause) {
    throw new UserError(`${files.cert} and ${files.key} cannot be read: ${explain(cause)}; give both in PEM`, { cause })
  }
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new UserError(`${path} cannot be read: ${explain(error)}`, { cause: error })
  }
}
