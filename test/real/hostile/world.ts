import { randomBytes } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { caCommand } from '@kedge/cloudcore/cli/ca'
import { startCloudcore } from '@kedge/cloudcore/cloudcore'
import { hashOf, type TokenRecord, tokenSecret } from '@kedge/cloudcore/identity/records'
import type { RefusalKind } from '@kedge/cloudcore/link/turned-away'
import { join as joinCommand } from '@kedge/edgecore/cli/join'
import { startEdgecore } from '@kedge/edgecore/edgecore'
import { ask } from '@kedge/edgecore/identity/ask'
import type { Identity } from '@kedge/edgecore/identity/identity'
import { findIdentity } from '@kedge/edgecore/identity/keep'
import { emptyDigest } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { encodeFrame, type UpFrame } from '@kedge/shared/frames'
import type { EnrolDown, EnrolUp } from '@kedge/shared/identity/enrol'
import { formatToken } from '@kedge/shared/identity/token'
import { openLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import { linkTopic } from '@kedge/shared/topics'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { expect, onTestFinished } from 'vitest'
import { Api, statusTwins } from '../../support/api.ts'
import { DeviceClient } from '../../support/device-client.ts'
import { eventually } from '../../support/eventually.ts'
import { room, roomModel } from '../../support/manifests.ts'
import type { LogLine } from '../../support/programs.ts'
import { tempDir, type WhenOver } from '../../support/temp-dir.ts'

const kitchen = 'devices/default/kitchen'

/** What a certificate and its key are shown as. */
export type Shown = Pick<Identity, 'key' | 'chain'>

/** Another broker that carries the link: mosquitto, as `deploy/mosquitto` configures it. */
export interface LinkBroker {
  /** `mqtts://host:port` */
  url: string
  /** Files: who vouches for it, and what cloudcore shows there. */
  ca: string
  cert: string
  key: string
  /** Lets these nodes in, which trust these roots (PEM). */
  admit(roots: string, nodes: readonly string[]): Promise<void>
}

/**
 * cloudcore as people run it, over TLS, with edge-1, whose client is patched and hostile and whose certificate is good,
 * and edge-2, a neighbour that must not notice.
 */
export class World {
  readonly lines: LogLine[] = []
  readonly #whenOver: WhenOver
  #api: Api | undefined
  #linkPort = 0
  #metricsPort = 0
  #hostile: Identity | undefined
  #neighbour: { mqttPort: number; data: string } | undefined
  #value = 1000
  #pin = ''
  readonly #data: string
  readonly #broker: LinkBroker | undefined

  private constructor(whenOver: WhenOver, broker: LinkBroker | undefined) {
    this.#whenOver = whenOver
    this.#broker = broker
    this.#data = tempDir(whenOver)
  }

  static async open(whenOver: WhenOver, broker?: LinkBroker): Promise<World> {
    const world = new World(whenOver, broker)
    await world.#open()
    return world
  }

  get api(): Api {
    return must(this.#api, 'api')
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.#linkPort}`
  }

  get port(): number {
    return this.#linkPort
  }

  /** The certificate of edge-1. */
  get hostile(): Identity {
    return must(this.#hostile, 'identity')
  }

  async #open(): Promise<void> {
    const to = { write: (line: string) => void this.lines.push(JSON.parse(line) as LogLine) }
    const cloud = await startCloudcore({
      settings: {
        ...{ data: this.#data, apiHost: '127.0.0.1', apiPort: 0, writeKubeconfig: undefined },
        ...{ linkHost: '127.0.0.1', linkPort: 0, statusInterval: 50, defaultAutonomy: 3_600_000, installCrds: true },
        metricsAddress: { host: '127.0.0.1', port: 0 },
        ...(this.#broker === undefined ? {} : settingsFor(this.#broker)),
      },
      kubernetes: { is: 'standalone' },
      ...{
        clock: systemClock,
        random: Math.random,
        log: openLog({ level: 'info', program: 'cloudcore', version: 'test', to }),
      },
    })
    this.#whenOver(() => cloud.stop())
    this.#linkPort = must(cloud.linkPort, 'port')
    this.#metricsPort = Number(this.lines.find(({ msg }) => msg === 'metrics served')?.port)
    const api = new Api(must(cloud.kubeconfig, 'kubeconfig'))
    this.#whenOver(() => api.close())
    this.#api = api
    const { data } = await eventually(() => api.find('configmaps/kedge/kedge-trust'))
    this.#pin = data.pin
    await this.#broker?.admit(data['roots.pem'], ['edge-1', 'edge-2', 'edge-7'])
    this.#hostile = await this.join('edge-1')
    await this.#startNeighbour()
  }

  /** A board that joins with a token of its own. */
  async join(node: string, data = tempDir(this.#whenOver)): Promise<Identity> {
    const token = await this.token()
    const argv = [this.url, '--token', token, '--node-name', node, '--data', data]
    await joinCommand(argv, { env: {}, note: () => {}, stdin: () => '', signal: new AbortController().signal })
    return must(findIdentity(data).identity, 'identity')
  }

  /** A token as `cloudcore token create` makes it; its whole text. */
  async token(wish: Partial<TokenRecord> = {}): Promise<string> {
    const [id, secret] = [randomBytes(5).toString('hex'), randomBytes(16).toString('base64url')]
    const now = Date.now()
    const record = { id, hash: hashOf(secret), left: 1, expires: now + 3_600_000, made: now, used: [], ...wish }
    await this.api.create(tokenSecret(record, 'kedge'))
    return formatToken({ id, secret, pin: this.#pin })
  }

  async #startNeighbour(): Promise<void> {
    const data = tempDir(this.#whenOver)
    const { broker } = await this.join('edge-2', data)
    const edge = await startEdgecore({
      settings: {
        ...{
          runtime: 'simulated',
          nodeName: 'edge-2',
          cloud: broker ?? this.url,
          data,
          mqttHost: '127.0.0.1',
          mqttPort: 0,
        },
        ...{ metricsAddress: null, dmiSocket: null, cloudTlsCa: this.#broker?.ca },
      },
      ...{ clock: systemClock, random: Math.random },
      log: openLog({ level: 'info', program: 'edgecore', version: 'test', to: { write: () => {} } }),
    })
    this.#whenOver(() => edge.stop())
    this.#neighbour = { mqttPort: edge.mqttPort, data }
    await this.api.create(roomModel(), room('kitchen', 'edge-2'))
    await eventually(() => edge.inSync)
  }

  /** The way down and the way up of the neighbour work, over the connection that it has had all the time. */
  async unharmed(): Promise<void> {
    const value = String(++this.#value)
    await this.api.desire(kitchen, { target: value })
    const device = await DeviceClient.connect(must(this.#neighbour, 'neighbour').mqttPort)
    await device.publish('$hw/events/device/default/kitchen/twin/update', { twin: { target: { actual: { value } } } })
    await eventually(async () => {
      const target = statusTwins(await this.api.get(kitchen)).target
      return target?.reported === value && target?.desired === value
    })
    expect(this.lines.filter(({ msg, node, up }) => msg === 'node link' && node === 'edge-2' && !up)).toEqual([])
  }

  /** What the neighbour has on its disk. */
  get neighbour(): Identity {
    return must(findIdentity(must(this.#neighbour, 'neighbour').data).identity, 'identity')
  }

  /** `cloudcore ca …` */
  ca(...words: string[]): Promise<string> {
    return caCommand([...words, '--data', this.#data], { env: {}, now: Date.now(), note: () => {} })
  }

  /** Any MQTT client, over TLS. */
  client(clientId: string, { shown, ...options }: IClientOptions & { shown?: Shown | undefined } = {}): MqttClient {
    const client = mqtt.connect(this.#broker?.url ?? this.url, {
      ...{ clientId, reconnectPeriod: 0, rejectUnauthorized: false, protocolVersion: 4 },
      ...(shown === undefined ? {} : { key: shown.key, cert: shown.chain }),
      ...options,
    })
    client.on('error', () => {})
    onTestFinished(() => client.endAsync(true).then(() => undefined))
    return client
  }

  /** The hostile node on its link. */
  async attacker(options: IClientOptions = {}): Promise<MqttClient> {
    return connected(this.client('edge-1', { shown: this.hostile, ...options }))
  }

  /** Asks to enrol as a patched client does. */
  enrol(question: EnrolUp, shown?: Shown): Promise<EnrolDown> {
    const judge = () => ({ ok: true as const, path: [] })
    return ask({ url: this.url, identity: shown, judge, question, signal: new AbortController().signal })
  }

  /** Bytes below TLS. */
  async raw(): Promise<Socket> {
    const socket = connectTcp(this.#linkPort, '127.0.0.1')
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
    await new Promise((resolve) => socket.once('connect', resolve))
    return socket
  }

  /** A TLS connection without a certificate on which nothing is said. */
  tls() {
    const socket = connectTls({ port: this.#linkPort, host: '127.0.0.1', rejectUnauthorized: false })
    socket.on('error', () => {})
    onTestFinished(() => void socket.destroy())
    return socket
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`)).text()
    const line = text.split('\n').find((each) => each.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1) ?? 0)
  }

  /** Does what the door must refuse, and waits until it has been counted. */
  async refuses(reason: RefusalKind, act: () => unknown): Promise<void> {
    const count = () => this.metric(`kedge_cloud_link_refused_total{reason="${reason}"}`)
    const before = await count()
    await act()
    await eventually(async () => (await count()) > before)
  }

  /** Waits for a line of cloudcore's log and gives those that are like it. */
  told(msg: string, fields: Record<string, unknown> = {}): Promise<LogLine[]> {
    const found = () =>
      this.lines.filter(
        (line) => line.msg === msg && Object.entries(fields).every(([name, value]) => line[name] === value),
      )
    return eventually(() => found().length > 0 && found())
  }
}

export async function connected(client: MqttClient): Promise<MqttClient> {
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
    client.once('close', () => reject(new Error('closed')))
  })
  return client
}

/** Resolves when the other side has closed the connection. */
export async function closed(client: MqttClient): Promise<void> {
  await eventually(() => !client.connected)
}

export function say(client: MqttClient, frame: UpFrame, node = 'edge-1'): void {
  client.publish(linkTopic(node, 'up'), encodeFrame(frame), { qos: 1 })
}

/** A frame of reports, whatever they say. */
export function report(...items: unknown[]): UpFrame {
  const box = 'hostile.1'
  return {
    is: 'reports',
    box,
    items: items.map((report, index) => ({ seq: index + 1, version: 1, report })),
  } as UpFrame
}

function settingsFor({ url, ca, cert, key }: LinkBroker) {
  return { linkBroker: url, linkBrokerTlsCa: ca, linkBrokerTlsCert: cert, linkBrokerTlsKey: key }
}

/** What run and number of a talk begin with, from a node that holds nothing. */
export function have(talk: string): UpFrame {
  const place = { epoch: '', revision: 0, digest: emptyDigest, count: 0 }
  return { is: 'have', protocol: 1, speaks: 2, talk, ...place, why: 'connect', edgecore: 'x' }
}
