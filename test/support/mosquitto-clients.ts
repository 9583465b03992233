import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { eventually } from './eventually.ts'

/** Whether the mosquitto clients are there. In CI they must be. */
export function hasMosquittoClients(): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const missing = ['mosquitto_pub', 'mosquitto_sub'].filter(
    (name) => !folders.some((folder) => existsSync(join(folder, name))),
  )
  if (missing.length > 0 && process.env.CI) throw new Error(`${missing.join(', ')} not in PATH: CI must have them`)
  return missing.length === 0
}

/** `mosquitto_pub`: resolves once the broker has acknowledged. */
export async function mosquittoPub(port: number, topic: string, payload: unknown): Promise<void> {
  const message = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const argv = ['-h', '127.0.0.1', '-p', `${port}`, '-q', '1', '-t', topic, '-m', message]
  await promisify(execFile)('mosquitto_pub', argv, { timeout: 20_000 })
}

/** A `mosquitto_sub` that has subscribed. */
export class MosquittoSub {
  readonly #child: ChildProcess
  readonly #seen: { topic: string; text: string }[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    if (child.stdout === null) throw new Error('mosquitto_sub has no output')
    createInterface({ input: child.stdout }).on('line', (line) => {
      const at = line.indexOf(' ')
      this.#seen.push({ topic: line.slice(0, at), text: line.slice(at + 1) })
    })
  }

  static async start(port: number, ...filters: string[]): Promise<MosquittoSub> {
    const topics = [...filters, 'test/ready'].flatMap((filter) => ['-t', filter])
    const argv = ['-h', '127.0.0.1', '-p', `${port}`, '-q', '1', '-v', ...topics]
    const sub = new MosquittoSub(spawn('mosquitto_sub', argv, { stdio: ['ignore', 'pipe', 'inherit'] }))
    onTestFinished(() => sub.stop())
    // It does not say when it has subscribed.
    await eventually(async () => {
      await mosquittoPub(port, 'test/ready', 'x')
      return sub.#seen.some(({ topic }) => topic === 'test/ready')
    })
    return sub
  }

  on(topic: string): string[] {
    return this.#seen.filter((each) => each.topic === topic).map(({ text }) => text)
  }

  /** The first message on a topic that `fits`, as JSON, now or later. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into payloads of many shapes
  async message(topic: string, fits: (body: any) => unknown = () => true): Promise<any> {
    return eventually(() =>
      this.on(topic)
        .map((text) => JSON.parse(text))
        .find((body) => fits(body)),
    )
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }
}
