import { readFileSync } from 'node:fs'
import { arch, cpus, freemem, loadavg, platform, release, totalmem, uptime } from 'node:os'
import { rfc3339 } from '../clock.ts'
import { explain } from '../errors.ts'
import { scrub, secretForms } from './scrub.ts'
import type { TarFile } from './tar.ts'

/** One file of the archive. */
export interface Piece {
  name: string
  /** Its text, or something that is written as JSON; undefined leaves it out. May throw, and may be slow. */
  make: (signal: AbortSignal) => unknown
}

const limit = 20_000

/**
 * Makes all pieces, each within its time, and takes what is secret out of every one. What could not be made is said in
 * `missing.txt`. Never rejects.
 */
export async function gather(pieces: readonly Piece[], secrets: Iterable<string>): Promise<TarFile[]> {
  const forms = secretForms(secrets)
  const missing: string[] = []
  const made = await Promise.all(
    pieces.map(async ({ name, make }) => {
      try {
        const content = await within(make)
        return content === undefined
          ? []
          : [{ name, text: typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n` }]
      } catch (error) {
        missing.push(`${name}: ${explain(error)}\n`)
        return []
      }
    }),
  )
  const all = [...made.flat(), ...(missing.length > 0 ? [{ name: 'missing.txt', text: missing.join('') }] : [])]
  return all.map(({ name, text }) => ({ name, content: Buffer.from(scrub(text, forms)) }))
}

async function within(make: Piece['make']): Promise<unknown> {
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      over.abort()
      reject(new Error(`not done within ${limit / 1000} s`))
    }, limit)
  })
  try {
    return await Promise.race([(async () => make(over.signal))(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** What this machine is. `now`: milliseconds since the epoch. */
export function aboutMachine({ program, version, now }: { program: string; version: string; now: number }) {
  const text = (path: string) => {
    try {
      return readFileSync(path, 'utf8').replaceAll('\0', '').trim()
    } catch {
      return undefined
    }
  }
  return {
    program,
    version,
    at: rfc3339(now),
    node: process.versions.node,
    system: {
      platform: platform(),
      release: release(),
      arch: arch(),
      os: /^PRETTY_NAME="?([^"\n]*)/m.exec(text('/etc/os-release') ?? '')?.[1],
    },
    board: text('/proc/device-tree/model'),
    cpus: cpus().map(({ model }) => model),
    memory: { total: totalmem(), free: freemem() },
    load: loadavg(),
    uptime: uptime(),
    pressure: { io: text('/proc/pressure/io'), memory: text('/proc/pressure/memory') },
  }
}
