import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { keepAuthority, readAuthority, sealPlain, split } from './authority-file.ts'
import { issue, makeAuthority, type Pair, type ServerNames } from './certificates.ts'
import { keepFile, readKept } from './keep-file.ts'
import type { SealingKey } from './sealed-key.ts'

export interface ClientName {
  /** The user, for instance `system:node:edge-1`. */
  user: string
  groups: readonly string[]
  /** For how long it is good, in days. */
  days: number
}

const serverDays = 365

/**
 * The certificate authority of one folder: made once, kept with its key in one file, so that they always belong
 * together. Not the one of the link, which nodes know (`BuiltInCa`): whoever this one vouches for is a user of the API.
 */
export class Authority {
  readonly #pair: Pair
  readonly #dir: string
  readonly #clock: Clock

  private constructor(dir: string, clock: Clock, pair: Pair) {
    this.#dir = dir
    this.#clock = clock
    this.#pair = pair
  }

  /** With what lies in the folder, its key sealed; made where there is nothing. Throws a UserError. */
  static async open(dir: string, clock: Clock, key: SealingKey): Promise<Authority> {
    const found = readAuthority(dir, key) ?? sealPlain(dir, key)
    if (found !== undefined) return new Authority(dir, clock, found)
    const pair = await makeAuthority(clock.now())
    keepAuthority(dir, pair, key)
    return new Authority(dir, clock, pair)
  }

  /** PEM. */
  get cert(): string {
    return this.#pair.cert
  }

  /**
   * The certificate of a server with these names, kept in `server.pem` and made anew when less than a third of its life
   * is left or its names have changed.
   */
  async serverPair(names: ServerNames): Promise<{ pair: Pair; renewed: boolean }> {
    const path = join(this.#dir, 'server.pem')
    const kept = readKept(path)
    if (kept !== undefined) {
      const pair = split(kept, path)
      if (isGood(pair, { names, now: this.#clock.now(), authority: this.cert })) return { pair, renewed: false }
    }
    const pair = await issue(this.#pair, this.#clock.now(), {
      subject: [{ CN: ['kube-apiserver'] }],
      days: serverDays,
      usage: 'server',
      names,
    })
    keepFile(path, pair.cert + pair.key)
    return { pair, renewed: true }
  }

  /** A new certificate for a client, and its key. */
  clientPair({ user, groups, days }: ClientName): Promise<Pair> {
    return issue(this.#pair, this.#clock.now(), {
      subject: [{ CN: [user] }, ...groups.map((group) => ({ O: [group] }))],
      days,
      usage: 'client',
    })
  }
}

function isGood(
  { cert }: Pair,
  { names, now, authority }: { names: ServerNames; now: number; authority: string },
): boolean {
  const parsed = new X509Certificate(cert)
  const [from, to] = [Date.parse(parsed.validFrom), Date.parse(parsed.validTo)]
  const fresh = now >= from && to - now > (to - from) / 3
  const issuer = new X509Certificate(authority)
  const issued = parsed.checkIssued(issuer) && parsed.verify(issuer.publicKey)
  const named = names.dns.every((name) => parsed.checkHost(name)) && names.ips.every((ip) => parsed.checkIP(ip))
  return fresh && issued && named
}
