import type { Socket } from 'node:net'
import { EmbeddedLink } from '@kedge/cloudcore/link/embedded'
import { ExternalLink } from '@kedge/cloudcore/link/external'
import type { Link, LinkEvents } from '@kedge/cloudcore/link/link'
import type { CloudAccess } from '@kedge/edgecore/link/link'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { IClientOptions } from 'mqtt'
import { onTestFinished } from 'vitest'
import { CutLink } from '../../support/cut-link.ts'
import { LinkAuthority } from '../../support/link-authority.ts'
import { restartLinkBroker, startLinkBroker } from '../../support/link-broker.ts'

/** A broker with cloudcore's end of the link. */
export interface Carrier {
  /** The way of the nodes to it; the same for good. */
  readonly network: CutLink
  link: Link
  access(node: string): CloudAccess
  /** Over TLS: what an MQTT client in a node's name shows, and how edgecore connects. */
  tls?(node: string): Promise<IClientOptions>
  dial?(node: string, signal: AbortSignal): Promise<Socket>
  /** Ends cloudcore's end as a crash does, and starts it anew. */
  restartCloud(): Promise<void>
  /** The same for the broker. */
  restartBroker(): Promise<void>
}

export interface CarrierKind {
  name: string
  open(events: LinkEvents, nodes: readonly string[]): Promise<Carrier>
}

const parts = { clock: systemClock, log: silentLog }

export const embedded: CarrierKind = {
  name: 'the embedded broker',
  async open(events) {
    const network = await CutLink.open()
    const start = async () => {
      const link = await EmbeddedLink.open({ host: '127.0.0.1', port: 0, events, ...parts })
      network.target = link.port
      return link
    }
    const restart = async () => {
      await carrier.link.stop()
      carrier.link = await start()
    }
    const carrier = { network, link: await start(), access: () => ({}), restartCloud: restart, restartBroker: restart }
    onTestFinished(() => carrier.link.stop())
    onTestFinished(() => network.stop())
    return carrier
  },
}

export const embeddedTls: CarrierKind = {
  name: 'the embedded broker with TLS',
  async open(events) {
    const network = await CutLink.open()
    const authority = await LinkAuthority.open(systemClock)
    const start = async () => {
      const { door } = authority
      const link = await EmbeddedLink.open({ host: '127.0.0.1', port: 0, door, events, ...parts })
      network.target = link.port
      return link
    }
    const restart = async () => {
      await carrier.link.stop()
      carrier.link = await start()
    }
    const carrier: Carrier = {
      ...{ network, link: await start(), access: () => ({}), restartCloud: restart, restartBroker: restart },
      tls: async (node) => ({ protocol: 'mqtts', ...authority.tls(await authority.papers(node)) }),
      dial: async (node, signal) => authority.open(network.url, await authority.papers(node), signal),
    }
    onTestFinished(() => carrier.link.stop())
    onTestFinished(() => network.stop())
    return carrier
  },
}

export const mosquitto: CarrierKind = {
  name: 'mosquitto',
  async open(events, nodes) {
    const broker = await startLinkBroker(['cloudcore', ...nodes])
    onTestFinished(() => broker.down())
    const network = await CutLink.open()
    network.target = broker.port
    const access = { url: `mqtt://127.0.0.1:${broker.port}`, user: 'cloudcore', password: 'cloudcore' }
    const tls = { ca: undefined, cert: undefined, key: undefined }
    const start = () => new ExternalLink({ broker: { ...access, ...tls }, events, random: () => 0, ...parts })
    const carrier = {
      ...{ network, link: start() },
      access: (node: string) => ({ password: node }),
      restartCloud: async () => {
        await carrier.link.stop()
        carrier.link = start()
      },
      restartBroker: () => restartLinkBroker(broker),
    }
    onTestFinished(() => carrier.link.stop())
    onTestFinished(() => network.stop())
    return carrier
  },
}
