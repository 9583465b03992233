import { readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import { loadSettings } from '@kedge/shared/load-settings'
import { runProgram } from '@kedge/shared/program'
import { address, host, path, valueType } from '@kedge/shared/setting-types'
import { program } from '@kedge/shared/settings'
import { version } from '@kedge/shared/version'
import { type KubeAccess, parseKubeconfig, readKubeconfig } from '../fleet/kube.ts'
import { follow, makePapers } from './broker-files.ts'
import { chaos } from './chaos.ts'
import { prepareCluster } from './cluster.ts'
import { Gate } from './gate.ts'
import { Order, openControl, tellGates } from './gate-control.ts'
import { readSample, tend } from './tend.ts'
import { keepToken } from './token.ts'
import { kubeconfigFor, mustHave, whereIs } from './where.ts'

const speed = valueType('FACTOR', 'a number from 0.1 to 100', (text) => {
  const factor = Number(text)
  return factor >= 0.1 && factor <= 100 ? factor : undefined
})
const socket = '/run/kedge/gate.sock'
// Those that COMPOSE_PROFILES lists.
const profiles = process.env.FLEET_PROFILES ?? ''

const gateProgram = program({
  name: 'fleet gate',
  summary: 'carries the one port of cloudcore to the network of the edge nodes',
  flagsOnly: true,
  table: {
    listen: { type: address, required: true, help: 'Where edge nodes connect' },
    to: { type: address, required: true, help: 'Where cloudcore listens' },
    socket: { type: path, default: socket, help: 'Unix socket where the gate takes orders' },
  },
})

const chaosProgram = program({
  name: 'fleet chaos',
  summary: 'cuts, slows and restarts the links on a schedule, and says so',
  flagsOnly: true,
  table: {
    sockets: { type: path, default: dirname(socket), help: 'The folder with the sockets of the gates' },
    speed: { type: speed, default: '1', help: 'How many times as fast the weather changes' },
  },
})

const tendProgram = program({
  name: 'fleet tend',
  summary: 'keeps a join token for edge nodes, and gives each of them a virtual device',
  flagsOnly: true,
  table: {
    tokenFile: { type: path, default: '/run/kedge/token', help: 'Where the join token is kept' },
    sample: { type: path, required: true, help: 'Manifest of a DeviceModel and a Device to make the others by' },
  },
})

const tellProgram = program({
  name: 'fleet tell',
  summary: 'gives the gates one order: fleet tell open, cut, stalled, slow or break',
  flagsOnly: true,
  table: { sockets: { type: path, default: dirname(socket), help: 'The folder with the sockets of the gates' } },
})

const brokerProgram = program({
  name: 'fleet broker',
  summary: 'writes what mosquitto reads: certificates, whom it trusts, and who may do what there',
  flagsOnly: true,
  table: {
    host: { type: host, default: 'broker', help: 'The name by which cloudcore and edge nodes know it' },
    files: {
      type: path,
      default: '/run/fleet',
      help: 'The folder with the folders mosquitto, cloud and join: what each of mosquitto, cloudcore and the edge nodes reads',
    },
  },
})

const clusterProgram = program({
  name: 'fleet cluster',
  summary: 'applies manifests to a cluster, and gives cloudcore a kubeconfig with the rights of its service account',
  flagsOnly: true,
  table: {
    manifests: { type: path, required: true, help: 'The folder of the manifests' },
    files: { type: path, default: '/run/kedge', help: 'Where that kubeconfig is written' },
  },
})

await runProgram('fleet', async () => {
  const [command = '', ...argv] = process.argv.slice(2)
  const signal = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => signal.abort())
  if (command === '--version' || command === '-v') return void process.stdout.write(`${version}\n`)
  if (command === 'gate') return gate(argv, signal.signal)
  if (command === 'chaos') return weather(argv, signal.signal)
  if (command === 'tend') return things(argv, signal.signal)
  if (command === 'tell') return tell(argv)
  if (command === 'broker') return broker(argv, signal.signal)
  if (command === 'cluster') return cluster(argv, signal.signal)
  throw new UserError(`found "${command}": give gate, chaos, tell, tend, broker or cluster`)
})

async function gate(argv: string[], signal: AbortSignal): Promise<void> {
  const settings = await loadSettings(gateProgram, argv)
  if (settings === undefined) return
  const gate = await Gate.open({ ...settings.listen, to: settings.to })
  const control = await openControl(gate, settings.socket)
  say(`edge nodes reach ${settings.to.host}:${settings.to.port}, and nothing else, at port ${gate.port}`)
  await aborted(signal)
  await control.stop()
  await gate.stop()
}

async function weather(argv: string[], signal: AbortSignal): Promise<void> {
  const settings = await loadSettings(chaosProgram, argv)
  if (settings === undefined) return
  const { speed, sockets } = settings
  await chaos({ tell: (order) => tellGates(gatesIn(sockets), order), say, speed, signal })
}

async function tell([word = '', ...argv]: string[]): Promise<void> {
  const settings = await loadSettings(tellProgram, argv)
  if (settings === undefined) return
  const order = Order.safeParse(word === 'slow' ? { is: word, ms: 500 } : { is: word })
  if (!order.success) throw new UserError(`found "${word}": give open, cut, stalled, slow or break`)
  say(`${word} (${await tellGates(gatesIn(settings.sockets), order.data)} links stood)`)
}

function gatesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => (name.endsWith('.sock') ? [join(folder, name)] : []))
}

async function things(argv: string[], signal: AbortSignal): Promise<void> {
  const settings = await loadSettings(tendProgram, argv)
  if (settings === undefined) return
  const { tokenFile: file } = settings
  const kubeconfig = join(tmpdir(), 'kubeconfig')
  const cloudcore = new URL('cloudcore.js', import.meta.url).pathname
  const token = async () => {
    writeFileSync(kubeconfig, kubeconfigFor(whereIs(profiles)), { mode: 0o600 })
    const isNew = await keepToken({ file, cloudcore, kubeconfig, now: Date.now() })
    if (isNew) say(`a new join token is in ${file}`)
  }
  await tend({ access: () => readKubeconfig(kubeconfig), token, sample: readSample(settings.sample), say, signal })
}

async function broker(argv: string[], signal: AbortSignal): Promise<void> {
  const settings = await loadSettings(brokerProgram, argv)
  if (settings === undefined) return
  mustHave(profiles, 'mosquitto')
  const folder = (name: string) => join(settings.files, name)
  const files = { mosquitto: folder('mosquitto'), cloudcore: folder('cloud'), nodes: folder('join') }
  await makePapers(files, settings.host, Date.now())
  await follow({ dir: files.mosquitto, access, say, signal })
}

async function cluster(argv: string[], signal: AbortSignal): Promise<void> {
  const settings = await loadSettings(clusterProgram, argv)
  if (settings === undefined) return
  mustHave(profiles, 'k3s')
  await prepareCluster({ access, manifests: settings.manifests, dir: settings.files, say, signal })
}

/** The API as it is now. Throws while cloudcore or k3s has not written its kubeconfig yet. */
function access(): KubeAccess {
  return parseKubeconfig(kubeconfigFor(whereIs(profiles)))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function say(text: string): void {
  process.stdout.write(`${new Date().toISOString()} ${text}\n`)
}
