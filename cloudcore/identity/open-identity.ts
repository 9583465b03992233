import { randomBytes } from 'node:crypto'
import { hostname, networkInterfaces } from 'node:os'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type Service, sleep, stopAll } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import { Door } from '../link/door.ts'
import { judgeCsr } from './csr-policy.ts'
import { Enroller } from './enrolment.ts'
import { publishTrust } from './home.ts'
import { advertised, type LinkName, serverNames } from './link-names.ts'
import { type Issuing, type IssuingSettings, openIssuing } from './open-issuing.ts'
import { Registry } from './registry.ts'

export interface IdentityOptions {
  kube: Kube
  settings: IssuingSettings & {
    linkHost: string
    linkNames?: readonly LinkName[] | undefined
    /** Milliseconds. */
    renewalGrace?: number | undefined
  }
  /** The broker that carries the link in place of cloudcore's own: `mqtts://host:port`. */
  broker?: string | undefined
  /** Milliseconds that a node may be out of reach, by its Node. */
  autonomyOf: (node: string) => number
  clock: Clock
  log: Log
}

export interface Identity extends Service {
  registry: Registry
  issuing: Issuing
  enroller: Enroller
  door: Door
  /** Tells everybody who makes join commands where boards are to connect to; once the link listens on `port`. */
  publish(port: number): void
}

export const defaultGrace = 30 * 24 * 3_600_000
const day = 24 * 3_600_000
const usualDays = 90
/** A node that may be away for longer than this gets a certificate that lasts longer. */
const longAutonomy = 60 * day

/** Days that a certificate is good for. A node that may be away for long is to find it good when it is back. */
export function daysFor(autonomy: number): number {
  return autonomy > longAutonomy ? Math.ceil((3 * autonomy) / day) : usualDays
}

/** Opens all that a link over TLS needs: the authority, the tokens and identities, and the door. */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { kube, settings, broker, autonomyOf, clock, log } = options
  const { renewalGrace: grace = defaultGrace } = settings
  const started: Service[] = []
  const stop = () => stopAll(started.splice(0), (error) => log.error({ reason: explain(error) }, 'stop failed'))
  const listening = { host: settings.linkHost, names: settings.linkNames ?? [], machine: machine() }
  try {
    const issuing = await openIssuing({ kube, settings, names: serverNames(listening), clock, log })
    started.push(issuing)
    const registry = new Registry({ kube, clock, log })
    started.push(registry)
    registry.start()
    await registry.ready
    const { issuer, certificate } = issuing
    const daysOf = (node: string) => daysFor(autonomyOf(node))
    const newSecret = () => randomBytes(32).toString('base64url')
    const enroller = new Enroller({ registry, issuer, judgeCsr, daysOf, grace, newSecret, clock, log })
    const identityOf = registry.node.bind(registry)
    const onIdentity = registry.onNode.bind(registry)
    const door = new Door({ certificate, issuer, identityOf, onIdentity, enroller, broker, grace, clock })
    const publish = (port: number) => {
      started.push(publishing({ kube, issuing, address: advertised(listening, port), log }))
    }
    return { registry, issuing, enroller, door, publish, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Publishing {
  kube: Kube
  issuing: Issuing
  address: string
  log: Log
}

/** Milliseconds between two tries. */
const pause = 5000

/** Keeps the ConfigMap `kedge-trust` at what holds. Nobody waits for it, so it is tried until it succeeds. */
function publishing({ kube, issuing, address, log }: Publishing): Service {
  const { issuer, certificate } = issuing
  const stopping = new AbortController()
  const put = async () => {
    while (!stopping.signal.aborted) {
      try {
        return await publishTrust(kube, { roots: issuer.roots(), address, pin: certificate.pin() })
      } catch (error) {
        log.warn({ reason: explain(error) }, 'trust not published')
        await sleep(pause, stopping.signal)
      }
    }
  }
  let running = put()
  const again = () => {
    running = running.then(put)
  }
  const ends = [issuer.onChange(again), certificate.onChange(again)]
  return {
    stop: async () => {
      for (const end of ends) end()
      stopping.abort()
      await running
    },
  }
}

function machine() {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const outside = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
  const isFour = ({ family }: { family: string }) => family === 'IPv4'
  const addresses = [...outside.filter(isFour), ...outside.filter((each) => !isFour(each))].map(
    ({ address }) => address,
  )
  return { name: hostname(), addresses }
}
