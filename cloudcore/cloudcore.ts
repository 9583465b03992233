import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Frame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { Histogram, metricsText } from '@kedge/shared/metrics'
import { isKey, type Key, type KubeObject, parseKey } from '@kedge/shared/objects'
import { type Service, stopAll } from '@kedge/shared/service'
import { openStatusServer } from '@kedge/shared/status-server'
import { Identities } from './identity/identities.ts'
import type { Identity } from './identity/open-identity.ts'
import type { IssuingSettings } from './identity/open-issuing.ts'
import type { Kube } from './kube/api.ts'
import { Catalog } from './kube/catalog.ts'
import { openKube } from './kube/client.ts'
import { Counters } from './kube/counters.ts'
import { ensureCrds } from './kube/crds.ts'
import { DeviceStatusMirror } from './kube/device-status-mirror.ts'
import { DeviceWatch } from './kube/device-watch.ts'
import { Freshest } from './kube/freshest.ts'
import { Limiter } from './kube/limiter.ts'
import { lostOf } from './kube/lost-status.ts'
import { RefusalWriter } from './kube/refusal-writer.ts'
import { StatusWriter } from './kube/status-writer.ts'
import { twinPages } from './kube/twin-pages.ts'
import type { BrokerSettings } from './link/broker-access.ts'
import type { Link } from './link/link.ts'
import { openLink } from './link/open-link.ts'
import { cloudMetrics, heldBuckets } from './metrics.ts'
import { linkSecure } from './nodes/link-secure.ts'
import { NodeKeeper } from './nodes/node-keeper.ts'
import { autonomyOf } from './nodes/node-plan.ts'
import { Presence } from './nodes/presence.ts'
import { apiServerDir, type CloudcoreSettings, caKeyPath, type KubernetesWay, linkPortOf } from './settings.ts'
import { Asks } from './sync/asks.ts'
import { SyncHub } from './sync/hub.ts'
import { Inbox } from './sync/inbox.ts'
import { syncPages } from './sync/pages.ts'
import { TimeTeller } from './sync/time-teller.ts'
import { UploadSink } from './uploads/sink.ts'

/** Settings that have a default here too. */
type Optional = BrokerSettings &
  Pick<
    CloudcoreSettings,
    | 'deviceStatus'
    | 'discovered'
    | 'discoveredNamespace'
    | 'uploads'
    | 'uploadsTokenFile'
    | 'linkPort'
    | 'linkNames'
    | 'linkPlain'
    | 'renewalGrace'
    | keyof IssuingSettings
  >

export interface CloudcoreOptions {
  settings: Omit<CloudcoreSettings, 'standalone' | 'kubeconfig' | 'logLevel' | keyof Optional> & Partial<Optional>
  kubernetes: KubernetesWay
  clock: Clock
  /** A draw from [0, 1). */
  random: () => number
  log: Log
}

export interface Cloudcore extends Service {
  /** Port of cloudcore's own MQTT broker, where boards join; undefined where there is another one, and none join. */
  readonly linkPort: number | undefined
  /** The kubeconfig that cloudcore works with; undefined in a cluster. */
  readonly kubeconfig: string | undefined
}

/** Milliseconds that a node may be without its link before its Node says so. */
const nodeGrace = 10_000
/** The same before its devices say so: each of them is a write. */
const deviceGrace = 60_000
/** How long nodes have to come back after cloudcore has started. */
const startGrace = 30_000
/** Writes to Kubernetes on their way at once. */
const writesAtOnce = 32

/**
 * Builds cloudcore in the order of the flow: the Kubernetes API, the catalog of its newest objects, the sync with each
 * node, and the way back from reports to Kubernetes. The link opens last, once the catalog knows every kind: an empty
 * catalog would empty the edges. When a part cannot start, those before it are stopped again.
 */
export async function startCloudcore(options: CloudcoreOptions): Promise<Cloudcore> {
  const { settings, clock, random, log } = options
  const started: Service[] = []
  const add = <T extends Service>(service: T): T => {
    started.push(service)
    return service
  }
  const stop = () => stopAll(started, (error) => log.error({ reason: explain(error) }, 'stop failed'))
  try {
    const way = await kubernetes(options, add)
    const kube = openKube(way)
    add({ stop: async () => kube.close() })
    const { deviceStatus = false } = settings
    await ensureCrds({ kube, log, clock, random, install: settings.installCrds, deviceStatus })

    const counters = new Counters()
    const catalog = add(new Catalog({ kube, log, clock, counters }))
    const hub = add(
      new SyncHub({
        catalog,
        send: (node, frame) => link.send(node, frame),
        onNews: (node, news) => {
          if (news.is === 'held') heldSeconds.observe(news.ms / 1000)
          const key = news.is === 'sure' ? undefined : news.key
          devices.synced(node, key)
          refusals.synced(node, key)
        },
        epoch: newEpoch(),
        clock,
        log,
      }),
    )
    const heldSeconds = new Histogram(heldBuckets)
    const standing = (node: string, key: Key) => hub.object(node, key)

    const presence = add(new Presence({ clock, graces: [nodeGrace, deviceGrace], startGrace }))
    const freshest = new Freshest((key) => newestOf(catalog, key))
    const writing = { kube, freshest, limiter: new Limiter(writesAtOnce), counters, clock, log, random, catalog }
    const { statusInterval, defaultAutonomy } = settings
    const discovered = { is: settings.discovered ?? 'propose', namespace: settings.discoveredNamespace ?? 'default' }
    const nodes = add(
      new NodeKeeper({
        ...writing,
        presence,
        grace: nodeGrace,
        defaultAutonomy,
        ask: (node) => link.send(node, { is: 'tell', what: 'node' }),
        conditionsOf: (node, isLinked) => [
          ...(isLinked ? linkSecure(isSecure(settings), clock.now()) : []),
          ...(identities?.conditionsOf(node) ?? []),
        ],
      }),
    )
    const identity = await openIdentityOf(options, { kube, catalog, add })
    const identities =
      identity && identitiesOf(identity, { kube, clock, log, secure: isSecure(settings), link: () => link })
    add({ stop: async () => identities?.stop() })
    const devices = add(new DeviceWatch({ catalog, presence, standing, grace: deviceGrace, log }))
    const conditionsFor = devices.conditionsFor.bind(devices)
    const asks = add(new Asks({ send: (node, frame) => link.send(node, frame), clock, log }))
    const ask = asks.ask.bind(asks)
    const { uploads: url, uploadsTokenFile: tokenFile } = settings
    const uploads = url ? add(new UploadSink({ url, tokenFile, clock, log, random })) : undefined
    const writer = add(new StatusWriter({ ...writing, nodes, statusInterval, conditionsFor, ask, discovered, uploads }))
    const mirror = deviceStatus ? add(new DeviceStatusMirror(writing)) : undefined
    const refusals = add(new RefusalWriter({ ...writing, standing }))
    const times = new TimeTeller(clock)
    const answer = (node: string, frame: Frame<'answered'>) => link.send(node, times.stamped(node, frame))
    const inbox = new Inbox({ sink: writer, send: answer, log })

    catalog.start()
    await catalog.ready
    await nodes.start()
    await devices.start((device) => writer.touch(device))
    await mirror?.start()
    askForLost(catalog, asks)
    identity?.registry.onNode((node) => nodes.look(node))
    const { link, port: linkPort } = await openLink({
      ...{ settings, port: linkPortOf(settings), identity, clock, random, log, add },
      events: {
        onUp: (node) => {
          presence.connected(node)
          hub.up(node)
        },
        onDown: (node) => {
          presence.disconnected(node)
          hub.down(node)
          asks.down(node)
          identities?.down(node)
        },
        onFrame: (node, frame) => {
          if (frame.is === 'reports') return inbox.receive(node, frame)
          if (frame.is === 'renew') return void identities?.renew(node, frame)
          if (frame.is === 'have') asks.heard(node, frame)
          if (frame.is === 'have') identities?.heard(node, frame)
          hub.receive(node, frame)
        },
        onMalformed: (node) => hub.malformed(node),
      },
    })
    if (isSecure(settings) === false)
      log.warn({ linkPort, broker: settings.linkBroker, todo: plainTodo }, 'link is plain')
    if (linkPort !== undefined) identity?.publish(linkPort)
    if (settings.metricsAddress !== null) {
      const { host, port } = settings.metricsAddress
      const metrics = metricsText(
        cloudMetrics({ hub, link, inbox, counters, heldSeconds, uploads, enroller: identity?.enroller }),
      )
      const ofSync = syncPages(hub, clock)
      const ofTwins = twinPages({ catalog, live: (device) => writer.live(device) })
      // Values are for those who can log in here; names and versions for whoever may see the metrics.
      const pages = (path: string, local: boolean) => ofSync(path) ?? (local ? ofTwins(path) : undefined)
      const status = add(await openStatusServer({ host, port, notReady: () => link.notReady(), metrics, pages }))
      log.info({ host, port: status.port }, 'metrics served')
    }
    log.info({ kubernetes: way.kubeconfig ?? 'in-cluster', linkPort }, 'cloudcore started')
    return { linkPort, kubeconfig: way.kubeconfig, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What Kubernetes lacks of all that edges have reported, as far as can be seen when cloudcore starts. */
function askForLost(catalog: Catalog, asks: Asks): void {
  const objects = [...catalog.keys()].flatMap((key) => {
    const { resource } = parseKey(key) ?? {}
    const object = catalog.get(key)?.object
    return object && (resource === 'pods' || resource === 'devices') ? [[resource, object] as const] : []
  })
  for (const { node, keys } of lostOf(objects)) {
    if (keys === 'all') asks.askAll(node)
    else for (const key of keys) asks.ask(node, key)
  }
}

const plainTodo = 'leave --link-plain away or name a broker at mqtts://, and join each node with a token'

/** Whether the link is protected; undefined where another broker decides, and it can be reached over TLS. */
function isSecure({ linkPlain = false, linkBroker }: Partial<CloudcoreSettings>): boolean | undefined {
  if (linkBroker === undefined) return !linkPlain
  return linkBroker.startsWith('mqtts:') ? undefined : false
}

/** Tokens, identities and certificates; nothing of it over a plain link. */
async function openIdentityOf(
  { settings, kubernetes, clock, log }: CloudcoreOptions,
  { kube, catalog, add }: { kube: Kube; catalog: Catalog; add: <T extends Service>(service: T) => T },
): Promise<Identity | undefined> {
  if (settings.linkPlain) return undefined
  // What signs certificates is loaded only where there are any.
  const { openIdentity } = await import('./identity/open-identity.ts')
  const autonomy = (name: string) => {
    const node = catalog.node(name)
    return node === undefined ? 0 : autonomyOf(node, settings.defaultAutonomy).autonomy
  }
  const caKeyFile = caKeyPath(settings, kubernetes)
  const broker = settings.linkBroker
  return add(
    await openIdentity({ kube, settings: { ...settings, caKeyFile }, broker, autonomyOf: autonomy, clock, log }),
  )
}

function identitiesOf(
  { registry, issuing, enroller }: Identity,
  {
    kube,
    clock,
    log,
    secure,
    link,
  }: Pick<CloudcoreOptions, 'clock' | 'log'> & {
    kube: Kube
    secure: boolean | undefined
    link: () => Link
  },
): Identities {
  return new Identities({
    ...{ registry, issuer: issuing.issuer, enroller, kube, clock, log },
    send: (node, frame) => link().send(node, frame),
    // Over plain MQTT a name proves nothing, whichever broker it is.
    connectionOf: secure === undefined ? undefined : (node) => link().connectionOf(node),
    prolong: (node, end) => link().prolong(node, end),
  })
}

/** How to reach Kubernetes; starts the embedded one where there is no other. */
async function kubernetes(
  { kubernetes: way, settings, clock, log }: CloudcoreOptions,
  add: <T extends Service>(service: T) => T,
): Promise<{ kubeconfig?: string; inCluster?: boolean }> {
  if (way.is === 'in-cluster') return { inCluster: true }
  if (way.is === 'kubeconfig') return { kubeconfig: way.path }
  const { startApiServer } = await import('./apiserver/apiserver.ts')
  const { kubeconfig } = add(
    await startApiServer({
      dir: apiServerDir(settings.data),
      caKeyFile: settings.caKeyFile,
      host: settings.apiHost,
      port: settings.apiPort,
      kubeconfig: settings.writeKubeconfig ?? join(settings.data, 'kubeconfig'),
      clock,
      log,
    }),
  )
  return { kubeconfig }
}

/** Names this run of cloudcore on the link. */
function newEpoch(): string {
  return randomUUID().slice(0, 8)
}

/** The newest copy that the catalog knows, of a node (`nodes/edge-1`) or of an object that travels. */
function newestOf(catalog: Catalog, key: string): KubeObject | undefined {
  if (key.startsWith('nodes/')) return catalog.node(key.slice('nodes/'.length))
  return isKey(key) ? catalog.get(key)?.object : undefined
}
