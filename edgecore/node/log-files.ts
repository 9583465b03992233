import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { isoTime } from '@kedge/shared/clock'
import { codeOf } from '@kedge/shared/errors'

/** A log was moved to `<file>.<yyyymmdd-hhmmss>`, and later packed to `….gz`, as kubelet names them. */
const rotatedForm = /^\.(\d{8}-\d{6}(?:-\d+)?)(\.gz)?$/

/** The files of a container's log that were moved away, the oldest first. */
export async function rotatedFiles(file: string): Promise<string[]> {
  const name = basename(file)
  const names = await readdir(dirname(file)).catch(nothing)
  const parts = names
    .filter((one) => one.startsWith(name) && rotatedForm.test(one.slice(name.length)))
    .sort((one, other) => (stampOf(one) < stampOf(other) ? -1 : 1))
  // Killed between packing a file and removing it, edgecore leaves both: the packed one is whole.
  return parts
    .filter((one) => one.endsWith('.gz') || !parts.includes(`${one}.gz`))
    .map((one) => join(dirname(file), one))
}

function stampOf(name: string): string {
  return name.replace(/\.gz$/, '')
}

export function rotatedName(file: string, now: number): string {
  const [date = '', time = ''] = isoTime(now).slice(0, 19).replaceAll(/[-:]/g, '').split('T')
  return `${file}.${date}-${time}`
}

/** The lines of one log file, packed or not; what follows the last line break is left out unless it is the end. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const source = createReadStream(path)
  const text = path.endsWith('.gz') ? source.pipe(createGunzip()) : source
  source.on('error', (error) => text.destroy(error))
  yield* splitLines(text)
}

/** Cuts bytes into lines at each line feed: a UTF-8 character is never cut. */
export async function* splitLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of bytes) {
    const data = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = data.indexOf(10); end !== -1; end = data.indexOf(10, from)) {
      yield data.toString('utf8', from, end)
      from = end + 1
    }
    rest = data.subarray(from)
  }
  if (rest.length > 0) yield rest.toString('utf8')
}

/** Size and identity of a file, or undefined when it is not there. */
export async function fileFacts(path: string): Promise<{ size: number; inode: number } | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  return found && { size: found.size, inode: found.ino }
}

function nothing(error: unknown): string[] {
  if (codeOf(error) === 'ENOENT') return []
  throw error
}
