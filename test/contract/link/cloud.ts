import type { LinkEvents } from '@kedge/cloudcore/link/link'
import { CloudLink } from '@kedge/edgecore/link/link'
import { emptyDigest } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import type { DownFrame, Frame, UpFrame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import type { Carrier, CarrierKind } from './carriers.ts'

export type Heard = { node: string } & ({ is: 'up' | 'down' | 'malformed' } | { is: 'frame'; frame: UpFrame })

/** cloudcore's end of the link as the rest of cloudcore knows it, and nodes at the other. */
export class Cloud {
  readonly carrier: Carrier
  /** All that it told, in order, in all its runs. */
  readonly heard: Heard[]

  private constructor(carrier: Carrier, heard: Heard[]) {
    this.carrier = carrier
    this.heard = heard
  }

  static async open(kind: CarrierKind, nodes: readonly string[] = ['edge-1', 'edge-2']): Promise<Cloud> {
    const heard: Heard[] = []
    const events: LinkEvents = {
      onUp: (node) => heard.push({ node, is: 'up' }),
      onDown: (node) => heard.push({ node, is: 'down' }),
      onFrame: (node, frame) => heard.push({ node, is: 'frame', frame }),
      onMalformed: (node) => heard.push({ node, is: 'malformed' }),
    }
    const cloud = new Cloud(await kind.open(events, nodes), heard)
    await cloud.ready()
    return cloud
  }

  ready(): Promise<true> {
    return eventually(() => this.carrier.link.notReady().length === 0)
  }

  of(node: string): Heard[] {
    return this.heard.filter((each) => each.node === node)
  }

  isUp(node: string): boolean {
    return this.of(node).findLast(({ is }) => is === 'up' || is === 'down')?.is === 'up'
  }

  framesOf(node: string): UpFrame[] {
    return this.of(node).flatMap((each) => (each.is === 'frame' ? [each.frame] : []))
  }

  haves(node: string): number {
    return this.framesOf(node).filter(({ is }) => is === 'have').length
  }

  /** An edge node that says `have` on each link and whenever it is asked to begin anew, as edgecore does. */
  async node(name: string): Promise<Node> {
    const node = new Node(this.carrier, name)
    onTestFinished(() => node.stop())
    await eventually(() => this.isUp(name) && this.haves(name) > 0)
    return node
  }

  /** Any MQTT client with a node's credentials. */
  async client(user: string, options: IClientOptions = {}): Promise<MqttClient> {
    const { network, access, tls } = this.carrier
    const { password } = access(user)
    const credentials = password === undefined ? await tls?.(user) : { username: user, password }
    const client = mqtt.connect(network.url, { clientId: user, reconnectPeriod: 0, ...credentials, ...options })
    client.on('error', () => {})
    onTestFinished(() => client.endAsync(true))
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve())
      client.once('close', () => reject(new Error(`no connection for ${user}`)))
    })
    return client
  }
}

export class Node {
  readonly received: DownFrame[] = []
  readonly link: CloudLink
  #talks = 0

  constructor({ network, access, dial }: Carrier, name: string) {
    this.link = new CloudLink({
      ...(dial === undefined ? {} : { open: (signal) => dial(name, signal) }),
      ...{ url: network.url, node: name, access: access(name) },
      onUp: () => this.#have(),
      onDown: () => {},
      onFrame: (frame) => {
        this.received.push(frame)
        if (frame.is === 'tell' && frame.what === 'all') this.#have()
      },
      onMalformed: () => {},
      ...{ clock: systemClock, random: () => 0, log: silentLog },
    })
    this.link.start()
  }

  stop(): Promise<void> {
    return this.link.stop()
  }

  #have(): void {
    this.link.send(have(`test.${++this.#talks}`))
  }
}

export function have(talk: string): Frame<'have'> {
  const place = { epoch: '', revision: 0, digest: emptyDigest, count: 0 }
  return { is: 'have', protocol: 1, talk, ...place, why: 'connect', edgecore: 'test' }
}

export function applied(revision: number): Frame<'applied'> {
  return { is: 'applied', talk: 'a.1', epoch: 'e', revision, digest: emptyDigest }
}

export function same(revision: number): Frame<'same'> {
  return { is: 'same', talk: 'a.1', epoch: 'e', revision, digest: emptyDigest }
}
