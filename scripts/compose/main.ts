import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import { loadSettings } from '@kedge/shared/load-settings'
import { runProgram } from '@kedge/shared/program'
import { address, path, valueType } from '@kedge/shared/setting-types'
import { program } from '@kedge/shared/settings'
import { version } from '@kedge/shared/version'
import { readKubeconfig } from '../fleet/kube.ts'
import { chaos } from './chaos.ts'
import { Gate } from './gate.ts'
import { openControl, tellGate } from './gate-control.ts'
import { readSample, tend } from './tend.ts'
import { keepToken } from './token.ts'

const speed = valueType('FACTOR', 'a number from 0.1 to 100', (text) => {
  const factor = Number(text)
  return factor >= 0.1 && factor <= 100 ? factor : undefined
})
const server = valueType('URL', 'https://host:port', (text) => (/^https:\/\/[^/]+$/.test(text) ? text : undefined))
const socket = { type: path, default: '/run/kedge/gate.sock', help: 'Unix socket where the gate takes orders' } as const

const gateProgram = program({
  name: 'fleet gate',
  summary: 'carries the one port of cloudcore to the network of the edge nodes',
  flagsOnly: true,
  table: {
    listen: { type: address, required: true, help: 'Where edge nodes connect' },
    to: { type: address, required: true, help: 'Where cloudcore listens' },
    socket,
  },
})

const chaosProgram = program({
  name: 'fleet chaos',
  summary: 'cuts, slows and restarts the links on a schedule, and says so',
  flagsOnly: true,
  table: { socket, speed: { type: speed, default: '1', help: 'How many times as fast the weather changes' } },
})

const tendProgram = program({
  name: 'fleet tend',
  summary: 'keeps a join token for edge nodes, and gives each of them a virtual device',
  flagsOnly: true,
  table: {
    kubeconfig: { type: path, required: true, help: 'The kubeconfig that cloudcore has written' },
    server: { type: server, help: 'Where the API is from here, in place of what the kubeconfig says' },
    tokenFile: { type: path, default: '/run/kedge/token', help: 'Where the join token is kept' },
    sample: { type: path, required: true, help: 'Manifest of a DeviceModel and a Device to make the others by' },
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
  throw new UserError(`found "${command}": give gate, chaos or tend`)
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
  const { speed, socket } = settings
  await chaos({ tell: (order) => tellGate(socket, order), say, speed, signal })
}

async function things(argv: string[], signal: AbortSignal): Promise<void> {
  const settings = await loadSettings(tendProgram, argv)
  if (settings === undefined) return
  const { server, tokenFile: file } = settings
  const kubeconfig = join(tmpdir(), 'kubeconfig')
  const cloudcore = new URL('cloudcore.js', import.meta.url).pathname
  const token = async () => {
    writeFileSync(kubeconfig, withServer(readFileSync(settings.kubeconfig, 'utf8'), server), { mode: 0o600 })
    const isNew = await keepToken({ file, cloudcore, kubeconfig, now: Date.now() })
    if (isNew) say(`a new join token is in ${file}`)
  }
  await tend({ access: () => readKubeconfig(kubeconfig), token, sample: readSample(settings.sample), say, signal })
}

/** The text of a kubeconfig that says another server. */
function withServer(text: string, server: string | undefined): string {
  return server === undefined ? text : text.replaceAll(/^( *server: ).*$/gm, `$1${server}`)
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
