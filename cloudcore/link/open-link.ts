import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import { barred } from '../identity/issuing.ts'
import type { Identity } from '../identity/open-identity.ts'
import type { NodeIdentity } from '../identity/records.ts'
import { type BrokerSettings, brokerAccess } from './broker-access.ts'
import { EmbeddedLink } from './embedded.ts'
import { EnrolPort } from './enrol-port.ts'
import { ExternalLink } from './external.ts'
import type { Link, LinkEvents } from './link.ts'

export interface OpenLinkOptions {
  settings: Partial<BrokerSettings> & { linkHost: string }
  /** Where cloudcore's own broker listens. */
  port: number
  /** Undefined where the link is plain. */
  identity: Identity | undefined
  events: LinkEvents
  clock: Clock
  random: () => number
  log: Log
  add: <T extends Service>(service: T) => T
}

/** The link, and the port where boards join: that of the link itself, unless another broker carries it. */
export async function openLink(options: OpenLinkOptions): Promise<{ link: Link; port: number | undefined }> {
  const { settings, port, identity, events, clock, random, log, add } = options
  const broker = brokerAccess(settings)
  const host = settings.linkHost
  if (broker === undefined) {
    const link = add(await EmbeddedLink.open({ host, port, door: identity?.door, events, clock, log }))
    return { link, port: link.port }
  }
  const registry = identity?.registry
  const barredNode = (node: string) => barredName(registry?.node(node))
  const link = add(new ExternalLink({ broker, events, barred: barredNode, clock, random, log }))
  if (identity === undefined) return { link, port: undefined }
  const ending = identity.registry.onNode((node) => link.look(node))
  add({ stop: async () => ending() })
  const { door } = identity
  const enrolPort = add(await EnrolPort.open({ host, port, door, turnedAway: link.turnedAway, log }))
  return { link, port: enrolPort.port }
}

/** Behind another broker no certificate is seen: the name alone decides. */
function barredName(identity: NodeIdentity | undefined) {
  return identity && barred({ ...identity, only: false }, '')
}
