import { join, resolve } from 'node:path'
import { parseDuration } from '@kedge/shared/duration'
import {
  addressOrOff,
  bytes,
  bytesOrOff,
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
import { type Fault, program, type Values } from '@kedge/shared/settings'
import { isNodeName } from '@kedge/shared/topics'
import { type AccessSettings, accessFaults } from './devices/access-settings.ts'
import { namedDrivers } from './devices/drivers/named.ts'
import { readAmounts } from './pods/claim.ts'

const nodeName = valueType(
  'NAME',
  'a DNS-1123 name: lower-case letters, digits, - and ., beginning and ending with a letter or digit',
  (text) => (isNodeName(text) ? text : undefined),
)

const dmiSocket = valueType('PATH', 'the path of a Unix socket, auto or off', (text): string | null | undefined => {
  if (text === 'off') return null
  return text === 'auto' ? text : text ? resolve(text) : undefined
})

const socket = valueType('SOCKET', 'unix:// and the absolute path of a Unix socket', (text) => {
  const found = text.startsWith('unix://') ? text.slice('unix://'.length) : text
  return found.startsWith('/') ? found : undefined
})

const resourceAmounts = valueType('AMOUNTS', 'amounts such as cpu=200m,memory=256Mi,ephemeral-storage=1Gi', readAmounts)

const commitInterval = valueType('DURATION', 'a duration such as 0s, 200ms or 5s, or auto', (text) =>
  text === 'auto' ? text : parseDuration(text),
)

/** Where edgecore keeps its state unless told otherwise. */
export const defaultData = '/var/lib/kedge/edgecore'

/** What a person can set on edgecore. */
export const edgecoreProgram = program({
  name: 'edgecore',
  summary: 'runs pods and keeps the twins of local devices on an edge node, with or without the cloud',
  usage: [
    'edgecore join mqtts://HOST   makes this board a node; edgecore join --help tells more',
    'edgecore get KIND [NAME]     reads what this node holds; edgecore get --help tells more',
    'edgecore twin get|set|watch  works with the twins of its devices; edgecore twin --help tells more',
    'edgecore logs|exec|restart POD  logs, a command, a restart of a pod here; each has its --help',
    'edgecore drill               proves that this node comes back without the cloud; edgecore drill --help tells more',
    'edgecore doctor              checks what must hold on this board, and says what to do; edgecore doctor --help tells more',
    'edgecore support             makes an archive without secrets for whoever is asked for help; edgecore support --help tells more',
    'edgecore discover            writes manifests for devices that announce themselves; edgecore discover --help tells more',
    'edgecore method list|call    works with the methods of its devices; edgecore method --help tells more',
  ],
  table: {
    nodeName: {
      type: nodeName,
      help: 'Name of this node in Kubernetes; without it the one that it joined as, else the host name in lower case',
    },
    cloud: {
      type: url(['mqtt:', 'mqtts:']),
      help: "URL of cloudcore's MQTT broker, mqtts://HOST:8883; without it the one that the node joined; else the node runs alone",
    },
    cloudPlain: {
      type: flag,
      default: 'false',
      help: 'Let --cloud be mqtt://HOST:1884, without TLS: who is in between can read and change everything, Secrets too',
    },
    cloudPasswordFile: {
      type: path,
      help: 'File with the password of this node there, if that broker asks for one; its user name is the node name',
    },
    cloudTlsCa: { type: path, help: 'Certificates that vouch for that broker, PEM, with mqtts' },
    cloudKeepAlive: {
      type: interval,
      default: '30s',
      help: 'How often a quiet link is tested: a dead one is noticed within one and a half times this',
    },
    data: { type: path, default: defaultData, help: 'Where edgecore keeps what must survive a restart' },
    secretsKeyFile: {
      type: path,
      help: 'Key that the values of Secrets are encrypted with in --data: 32 random bytes, raw, hex or base64. Without it the systemd credential kedge-secrets-key, else secrets.key in --data, made at the first start',
    },
    commitInterval: {
      type: commitInterval,
      default: 'auto',
      help: 'Least time between two commits of what devices report; their answers wait for it, nothing acknowledged is lost, and an SD card lasts longer. auto: 0s until 100,000 commits went at once, then 200ms; one more may every 200ms',
    },
    mqttHost: { type: host, default: '127.0.0.1', help: 'Where the MQTT broker for local devices listens' },
    mqttPort: { type: port, default: '1883', help: 'Its port' },
    mqttPasswords: { type: path, help: 'Users of that broker, a file of mosquitto_passwd; without it nobody is asked' },
    mqttAcl: {
      type: path,
      help: 'Their topics, a file in the form of mosquitto; without it a user has the topics of the device that it is named after, and all that do not begin with $',
    },
    mqttTlsCert: { type: path, help: 'Certificate of that broker, PEM: it then speaks TLS' },
    mqttTlsKey: { type: path, help: 'Its key, PEM' },
    mqttTlsClientCa: {
      type: path,
      help: 'Authority of client certificates, PEM; the common name is the user, and a certificate does without a password',
    },
    mqttBroker: {
      type: url(['mqtt:', 'mqtts:']),
      help: 'A broker to use in place of the built-in one, mqtt://HOST:1883',
    },
    mqttUsername: { type: text, help: 'Name of edgecore at that broker' },
    mqttPasswordFile: { type: path, help: 'File with its password' },
    driver: {
      type: namedDrivers,
      help: 'Drivers that are not built in, by the protocolName that chooses them: acme=@acme/driver or acme=./driver.js; NAME=none turns a built-in one off; several with commas between them',
    },
    webhookAddress: {
      type: addressOrOff,
      default: '127.0.0.1:8389',
      help: 'Where devices with a webhook call; listened on only while there is one, or off',
    },
    dmiSocket: {
      type: dmiSocket,
      default: 'auto',
      help: 'Unix socket where gRPC mappers register; auto: in /etc/kubeedge where that can be written to, else in --data; or off',
    },
    uploads: {
      type: flag,
      default: 'false',
      help: 'Take what is published on $hw/events/upload/#, SYS/dis/upload_records and +/user/# to the cloud, stored and forwarded; cloudcore needs --uploads, too',
    },
    runtime: {
      type: oneOf(['auto', 'cri', 'simulated']),
      default: 'auto',
      help: 'What runs the containers. auto, cri: containerd 1.6 or newer or CRI-O, waited for while it is away; simulated reports as a real engine would and starts nothing',
    },
    runtimeEndpoint: {
      type: socket,
      help: 'Socket of the container engine, unix:///run/containerd/containerd.sock; without it the usual places are looked at: /run/containerd, /run/crio, k3s, MicroK8s',
    },
    staticPods: {
      type: path,
      help: 'Folder of Pod manifests, YAML or JSON, that this node runs by itself, also without any cloud',
    },
    systemReserved: {
      type: resourceAmounts,
      help: 'What is set aside for the system and taken off what pods may ask for: cpu=200m,memory=256Mi,ephemeral-storage=1Gi',
    },
    autonomy: {
      type: interval,
      default: '24h',
      help: 'For how long this node should do without the cloud: OfflineReady is False when its certificate ends earlier',
    },
    podLogs: { type: path, default: '/var/log/pods', help: 'Where the container engine writes the logs of pods' },
    outboxBytes: {
      type: bytes,
      default: '256Mi',
      help: 'How much may wait for the cloud on disk; of more, the oldest telemetry, events and alarms are dropped',
    },
    outboxAge: {
      type: interval,
      default: '7d',
      help: 'How long events and telemetry may wait while this node runs; alarms four times as long, states for ever',
    },
    linkBudget: {
      type: bytesOrOff,
      default: 'off',
      help: 'Bytes a day for the link to the cloud; when they are spent, only what is urgent goes at once; or off',
    },
    metricsAddress: { type: addressOrOff, default: 'off', help: 'Where metrics and /healthz are served, or off' },
    logLevel: { type: logLevel, default: 'info', help: 'The least important lines that are logged' },
  },
  check: (values) => [...accessFaults(values), ...plainFaults(values)],
})

/** The settings of a node once it has its name: `settledNode` gives it one. */
export type EdgecoreSettings = Values<typeof edgecoreProgram.table> & { nodeName: string }
/** The local broker: the built-in one, or one of the node's own. */
export type LocalBrokerSettings = Partial<
  AccessSettings & Pick<EdgecoreSettings, 'mqttBroker' | 'mqttUsername' | 'mqttPasswordFile'>
>

/** The node's database in its data folder. */
export function databasePath(data: string): string {
  return join(data, 'edge.db')
}

function plainFaults({ cloud, cloudPlain }: { cloud?: string | undefined; cloudPlain: boolean }): Fault[] {
  if (cloudPlain || !cloud?.startsWith('mqtt:')) return []
  const advice = 'give mqtts://HOST:8883, or --cloud-plain when the network in between is to be trusted with everything'
  return [{ name: 'cloud', found: `found "${cloud}", which is without TLS`, advice }]
}
