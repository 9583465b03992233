import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { eventually } from './eventually.ts'
import { tempDir } from './temp-dir.ts'

const config = join(import.meta.dirname, '../../deploy/mosquitto')

const found = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  .map((dir) => join(dir, 'mosquitto'))
  .find((path) => existsSync(path))

/** Why there is no mosquitto to test with, or undefined. CI has one. */
export const mosquittoMissing =
  found !== undefined || process.env.CI ? undefined : 'mosquitto is not installed: apt-get install mosquitto'

/** A mosquitto with the configuration and the ACL of deploy/mosquitto. The password of every user is its name. */
export class Mosquitto {
  readonly #dir = tempDir()
  #child: ChildProcess | undefined
  /** Where it listens; another port after each start. */
  port = 0
  readonly said: string[] = []

  constructor(users: readonly string[]) {
    const passwords = join(this.#dir, 'passwords')
    writeFileSync(passwords, users.map((user) => `${user}:${user}\n`).join(''), { mode: 0o600 })
    execFileSync('mosquitto_passwd', ['-U', passwords])
    writeFileSync(join(this.#dir, 'acl'), readFileSync(join(config, 'kedge.acl')), { mode: 0o600 })
  }

  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort()
      if (await this.#startAt(port)) return
      // Someone else may have taken the port meanwhile.
      if (attempt === 5) throw new Error(`mosquitto does not start:\n${this.said.join('')}`)
    }
  }

  async #startAt(port: number): Promise<boolean> {
    const path = join(this.#dir, 'mosquitto.conf')
    const asRoot = process.getuid?.() === 0 ? 'user root\n' : ''
    const text = readFileSync(join(config, 'kedge.conf'), 'utf8')
      .replace('listener 1884', `listener ${port} 127.0.0.1`)
      .replace('/etc/mosquitto/kedge.passwords', join(this.#dir, 'passwords'))
      .replace('/etc/mosquitto/kedge.acl', join(this.#dir, 'acl'))
    writeFileSync(path, asRoot + text)
    const child = spawn(found ?? 'mosquitto', ['-c', path], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => this.said.push(String(chunk)))
    let ended = false
    child.once('error', () => {
      ended = true
    })
    child.once('exit', () => {
      ended = true
    })
    const answers = await eventually(async () => ended || (await listens(port)))
    if (ended || !answers) return false
    this.#child = child
    this.port = port
    return true
  }

  /** As a crash: no last will is carried out. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
