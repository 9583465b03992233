import { join } from 'node:path'
import {
  addressOrOff,
  duration,
  flag,
  host,
  interval,
  logLevel,
  oneOf,
  path,
  port,
  text,
  url,
  valueType,
} from '@kedge/shared/setting-types'
import { type Env, type Fault, program, type Values } from '@kedge/shared/settings'
import { issuerForms, parseIssuer } from './identity/issuer-name.ts'
import { linkNames } from './identity/link-names.ts'
import { caKeyName } from './identity/sealed-key.ts'

export const defaultData = '/var/lib/kedge/cloudcore'
export const defaultMetricsAddress = '127.0.0.1:9091'

/** Where the embedded API has its state, in the data folder. */
export function apiServerDir(data: string): string {
  return join(data, 'apiserver')
}

/**
 * What the keys of authorities are encrypted with: the file that is given; beside the embedded API one of its own. In a
 * cluster they lie in a Secret, which the cluster guards, and are encrypted only where a file is given.
 */
export function caKeyPath(
  settings: { caKeyFile?: string | undefined; data: string },
  way: KubernetesWay,
): string | undefined {
  if (settings.caKeyFile !== undefined) return settings.caKeyFile
  return way.is === 'standalone' ? join(apiServerDir(settings.data), 'pki', caKeyName) : undefined
}

/** The file that names the cloudcore which runs with a data folder. */
export function pidPath(data: string): string {
  return join(data, 'cloudcore.pid')
}

/** What a person can set on cloudcore. */
export const cloudcoreProgram = program({
  name: 'cloudcore',
  summary: 'watches a Kubernetes API and keeps what each edge node should run',
  usage: [
    'cloudcore backup --to FILE     copies the embedded API; cloudcore backup --help tells more',
    'cloudcore restore --from FILE  brings that copy back; cloudcore restore --help tells more',
    'cloudcore get sync             tells what each node holds; cloudcore get --help tells more',
    'cloudcore token create         makes a token and prints the command that joins a board; cloudcore token --help tells more',
    'cloudcore node list            tells who has joined, revokes and unlocks; cloudcore node --help tells more',
    'cloudcore ca list              tells who vouches on the link, rotates that authority; cloudcore ca --help tells more',
    'cloudcore doctor              checks what must hold for cloudcore, and says what to do; cloudcore doctor --help tells more',
    'cloudcore support             makes an archive without secrets for whoever is asked for help; cloudcore support --help tells more',
    'cloudcore convert device FILE  writes KubeEdge v1alpha2 manifests anew in v1beta1',
  ],
  table: {
    standalone: {
      type: flag,
      default: 'false',
      help: 'Start an embedded Kubernetes API and use it: no cluster is needed',
    },
    kubeconfig: { type: path, help: 'The kubeconfig of the cluster to use' },
    data: {
      type: path,
      default: defaultData,
      help: 'Where cloudcore keeps what must survive a restart',
    },
    apiHost: { type: host, default: '127.0.0.1', help: 'Where the embedded API listens, with --standalone' },
    apiPort: { type: port, default: '6443', help: 'Its port' },
    writeKubeconfig: { type: path, help: 'Write the kubeconfig of the embedded API to this file, for kubectl' },
    linkHost: { type: host, default: '127.0.0.1', help: 'Where the MQTT broker for the edge nodes listens' },
    linkPort: { type: port, help: 'Its port: 8883 unless given, 1884 with --link-plain' },
    linkNames: {
      type: linkNames,
      help: 'Under which names and addresses boards reach it; the first one is what join commands say, all of them are in its certificate',
    },
    linkPlain: {
      type: flag,
      default: 'false',
      help: 'Plain MQTT: no certificates, nothing is encrypted, and whoever says that it is a node is believed',
    },
    renewalGrace: {
      type: interval,
      default: '30d',
      help: 'How long after its end the certificate of a node that was away can still be renewed',
    },
    linkBroker: {
      type: url(['mqtt:', 'mqtts:']),
      help: 'The MQTT broker that carries the link instead, mosquitto for instance; it decides who is which node',
    },
    linkBrokerUsername: { type: text, help: 'The name of cloudcore there' },
    linkBrokerPasswordFile: { type: path, help: 'The file with its password' },
    linkBrokerTlsCa: { type: path, help: 'The certificates that vouch for that broker, PEM' },
    linkBrokerTlsCert: { type: path, help: "cloudcore's own certificate there, PEM" },
    linkBrokerTlsKey: { type: path, help: 'Its key, PEM' },
    linkTlsCert: {
      type: path,
      help: "cloudcore's certificate for the link with its chain, PEM, read again when it changes; made by the built-in authority unless given",
    },
    linkTlsKey: { type: path, help: 'Its key, PEM' },
    issuer: {
      type: valueType('ISSUER', issuerForms, parseIssuer),
      default: 'built-in',
      help: 'Who signs the certificates of nodes',
    },
    issuerRoots: {
      type: path,
      help: 'Further root certificates for nodes to trust, PEM: those of the issuer where it does not tell them itself',
    },
    caKeyFile: {
      type: path,
      help: 'The file with the key that the keys of authorities are encrypted with where they are kept, made when there is none',
    },
    statusInterval: {
      type: duration,
      default: '10s',
      help: 'The status of one device is written at once, then at most once in this time',
    },
    defaultAutonomy: {
      type: interval,
      default: '24h',
      help: 'How long a node that is out of reach keeps its pods, unless it says otherwise itself',
    },
    deviceStatus: {
      type: flag,
      default: 'false',
      help: 'Keep a DeviceStatus object beside each Device as well, as KubeEdge 1.23 does, for those who read it',
    },
    discovered: {
      type: oneOf(['propose', 'accept', 'ignore']),
      default: 'propose',
      help: 'Devices that announce themselves at a node: propose writes manifests to the ConfigMap discovered-<node> in the namespace kedge, accept makes the Devices at once',
    },
    discoveredNamespace: { type: text, default: 'default', help: 'The namespace of such devices' },
    uploads: {
      type: url(['http:', 'https:']),
      help: 'Where what edge nodes upload is posted, each as a CloudEvent; edgecore needs --uploads, too',
    },
    uploadsTokenFile: {
      type: path,
      help: 'The file with the token that is shown there (Authorization: Bearer), read for each message',
    },
    installCrds: {
      type: flag,
      default: 'true',
      help: 'Create or update the Device and DeviceModel CRDs when starting',
    },
    metricsAddress: {
      type: addressOrOff,
      default: defaultMetricsAddress,
      help: 'Where metrics, /healthz, /readyz and what cloudcore get reads are served, or off',
    },
    logLevel: { type: logLevel, default: 'info', help: 'The least important lines that are logged' },
  },
  check: (settings, env) => [...kubernetesFaults(settings, env), ...brokerFaults(settings), ...uploadsFaults(settings)],
})

/** The port of cloudcore's own end of the link: that of MQTT over TLS unless given. */
export function linkPortOf({ linkPort, linkPlain }: { linkPort?: number | undefined; linkPlain?: boolean }): number {
  return linkPort ?? (linkPlain ? 1884 : 8883)
}

export type CloudcoreSettings = Values<typeof cloudcoreProgram.table>

interface Ways {
  standalone: boolean
  kubeconfig: string | undefined
}

/** How cloudcore reaches Kubernetes. */
export type KubernetesWay = { is: 'standalone' } | { is: 'kubeconfig'; path: string } | { is: 'in-cluster' }

/** The way that the settings name, or the cluster that cloudcore runs in; undefined when there is none. */
export function kubernetesWay({ standalone, kubeconfig }: Ways, env: Env): KubernetesWay | undefined {
  if (standalone) return { is: 'standalone' }
  if (kubeconfig !== undefined) return { is: 'kubeconfig', path: kubeconfig }
  return env.KUBERNETES_SERVICE_HOST ? { is: 'in-cluster' } : undefined
}

function kubernetesFaults(settings: Ways, env: Env): Fault[] {
  if (settings.standalone && settings.kubeconfig !== undefined) {
    return [{ name: 'standalone', found: 'given together with kubeconfig', advice: 'give only one of the two' }]
  }
  if (kubernetesWay(settings, env) !== undefined) return []
  const advice =
    'give --kubeconfig FILE for a cluster, or --standalone for an embedded one (in a pod neither is needed)'
  return [{ name: 'kubeconfig', found: 'there is no Kubernetes to work with', advice }]
}

function uploadsFaults({ uploads, uploadsTokenFile }: { uploads?: string; uploadsTokenFile?: string }): Fault[] {
  if (uploadsTokenFile === undefined || uploads !== undefined) return []
  return [{ name: 'uploadsTokenFile', found: 'given without uploads', advice: 'give --uploads URL, too' }]
}

const brokerParts = [
  'linkBrokerUsername',
  'linkBrokerPasswordFile',
  'linkBrokerTlsCa',
  'linkBrokerTlsCert',
  'linkBrokerTlsKey',
] as const

type BrokerParts = Partial<Record<'linkBroker' | (typeof brokerParts)[number], string>>

function brokerFaults(settings: BrokerParts): Fault[] {
  if (settings.linkBroker === undefined) {
    return brokerParts
      .filter((name) => settings[name] !== undefined)
      .map((name) => ({ name, found: 'given without linkBroker', advice: 'give --link-broker mqtt://HOST:PORT, too' }))
  }
  const needs = (name: keyof BrokerParts, other: keyof BrokerParts, advice: string): Fault[] =>
    settings[name] === undefined || settings[other] !== undefined
      ? []
      : [{ name, found: `given without ${other}`, advice }]
  return [
    ...needs('linkBrokerPasswordFile', 'linkBrokerUsername', 'give --link-broker-username NAME, too'),
    ...needs('linkBrokerTlsCert', 'linkBrokerTlsKey', 'give --link-broker-tls-key PATH, too'),
    ...needs('linkBrokerTlsKey', 'linkBrokerTlsCert', 'give --link-broker-tls-cert PATH, too'),
  ]
}
