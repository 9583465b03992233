import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { eventually } from '../eventually.ts'

/**
 * A program on what is nearly a machine of its own: processes, network, mounts and `/run` are in namespaces that go with
 * it, and what it starts too, even when this process is killed. Files are those of this machine. It needs root.
 */
export class OwnMachine {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #helpers: ChildProcess[] = []
  readonly #doors: Server[] = []
  readonly #doorPorts = new Map<number, Promise<number>>()

  /** Starts a program that writes to the open file `log`. */
  constructor(command: readonly string[], log: number) {
    const ready = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec docker-init -- "$@"'
    const own = ['unshare', '--net', '--pid', '--mount', '--fork', '--mount-proc', '--kill-child']
    this.#child = whileWeLive([...own, 'sh', '-c', ready, 'sh', ...command], log)
    this.#ended = once(this.#child, 'close')
  }

  /** Resolves when the program has ended. */
  get ended(): Promise<unknown> {
    return this.#ended
  }

  /** What runs a command on its network: words to put before it. */
  get onItsNetwork(): string[] {
    return ['nsenter', '-t', `${this.#first}`, '-n', '--']
  }

  /** What runs a command with its mounts: words to put before it. */
  get withItsMounts(): string[] {
    return ['nsenter', '-t', `${this.#first}`, '-m', '--']
  }

  /** The process that is the first of the machine. */
  get #first(): number {
    const { pid } = this.#child
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    if (!child) throw new Error('the machine has ended')
    return Number(child)
  }

  /** Has a port of its loopback answer here, too: resolves with the port on this machine. `dir` is for a socket. */
  door(port: number, dir: string): Promise<number> {
    const known = this.#doorPorts.get(port) ?? this.#openDoor(port, dir)
    this.#doorPorts.set(port, known)
    return known
  }

  async #openDoor(port: number, dir: string): Promise<number> {
    const between = { path: join(dir, `door-${port}`) }
    this.#passOn(between, loopback(port))
    const server = await passOn(loopback(0), between)
    this.#doors.push(server)
    await eventually(() =>
      new Promise((open, not) => connect(between).on('error', not).on('connect', open).unref()).then(() => true),
    )
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Has a port of this machine's loopback answer there, too, soon and under the same number. `dir` is for a socket. */
  async window(port: number, dir: string): Promise<void> {
    const between = { path: join(dir, `window-${port}`) }
    this.#doors.push(await passOn(between, loopback(port)))
    this.#passOn(loopback(port), between)
  }

  /** There, what comes to one end goes on to the other. */
  #passOn(from: End, to: End): void {
    const own = `const net = require('net')
      net.createServer((one) => {
        const other = net.connect(${JSON.stringify(to)})
        for (const [from, to] of [[one, other], [other, one]]) from.pipe(to).on('error', () => from.destroy())
      }).listen(${JSON.stringify(from)})`
    this.#helpers.push(whileWeLive([...this.onItsNetwork, process.execPath, '-e', own], 'ignore'))
  }

  /** Ends the program, and all that is left on the machine with it. */
  async stop(): Promise<void> {
    for (const door of this.#doors) door.close()
    for (const helper of this.#helpers) helper.kill('SIGKILL')
    if (this.#child.pid === undefined || this.#child.exitCode !== null) return
    // unshare itself is deaf to it.
    process.kill(this.#first, 'SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 30_000)
    await this.#ended
    clearTimeout(timer)
  }
}

type End = { path: string } | { host: string; port: number }

const loopback = (port: number): End => ({ host: '127.0.0.1', port })

/** Here, what comes to one end goes on to the other. */
function passOn(from: End, to: End): Promise<Server> {
  const server = createServer((one) => {
    const other = connect(to)
    one.pipe(other).on('error', () => one.destroy())
    other.pipe(one).on('error', () => other.destroy())
  })
  return new Promise((resolve) => server.listen(from, () => resolve(server)))
}

/** Starts what the kernel kills when this process ends, however it ends. */
function whileWeLive([...command]: readonly string[], out: number | 'ignore'): ChildProcess {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: ['ignore', out, out] })
  child.on('error', () => {})
  return child
}

/** Removes a control group, by its name at the top, from every hierarchy; its processes must have ended. */
export function removeControlGroup(name: string): void {
  for (const path of controlGroupsOf(name)) removeFolders(path)
}

/** Processes, mounts and control groups of this machine that have to do with `name`. */
export function tracesOf(name: string): string[] {
  const pids = foldersIn('/proc').filter((folder) => /^\d+$/.test(folder))
  const files = ['/proc/self/mounts', ...pids.map((pid) => `/proc/${pid}/cmdline`)]
  return [...files.filter((file) => textOf(file).includes(name)), ...controlGroupsOf(name)]
}

function controlGroupsOf(name: string): string[] {
  const top = '/sys/fs/cgroup'
  return ['.', ...foldersIn(top)].map((hierarchy) => join(top, hierarchy, name)).filter((path) => existsSync(path))
}

/** Empty when it has gone meanwhile. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function removeFolders(path: string): void {
  for (const folder of foldersIn(path)) removeFolders(join(path, folder))
  try {
    rmdirSync(path)
  } catch {
    // Not there, or not ours to remove.
  }
}

function foldersIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch {
    return []
  }
}
