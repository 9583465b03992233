import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { codeOf } from '@kedge/shared/errors'
import { fileFacts, linesOf, rotatedFiles } from './log-files.ts'
import { type LogLine, LogLines, parseEntry } from './log-line.ts'

export interface LogRequest {
  /** Where the container's log is written. */
  file: string
  /** The last so many lines only. */
  tail?: number
  /** Only what was written since, milliseconds since the epoch. */
  since?: number
  /** Go on with what comes, until the container has ended or `signal` says so. */
  follow?: { ended: () => Promise<boolean>; signal: AbortSignal }
}

/** A follower looks for more so often, and whether the container has ended. */
const lookMs = 250
const endedMs = 1000

/** The lines of a container's log in their order, with those that were moved away to other files. */
export async function* readLog(request: LogRequest): AsyncGenerator<LogLine> {
  const { tail, since, follow } = request
  const held = await openFile(request.file)
  try {
    const files = await othersThan(held, await rotatedFiles(request.file))
    const skip = tail === undefined ? 0 : await linesBefore(tail, files, held, since)
    let at = 0
    const lines = new LogLines()
    for await (const line of allLines(files, held, lines)) {
      if (isOlder(line, since)) continue
      at += 1
      if (at > skip) yield line
    }
    if (follow) yield* following(request.file, held, { ...follow, lines, since })
    else for (const line of lines.rest()) if (!isOlder(line, since)) yield line
  } finally {
    await held?.handle.close()
  }
}

interface Held {
  handle: FileHandle
  inode: number
  /** What was read so far. */
  position: number
  /** The begin of a line whose end is not written yet. */
  rest: Buffer
}

async function openFile(file: string): Promise<Held | undefined> {
  try {
    const handle = await open(file, 'r')
    return { handle, inode: (await handle.stat()).ino, position: 0, rest: Buffer.alloc(0) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The file that is held may have been moved away between opening it and looking for those that were. */
async function othersThan(held: Held | undefined, files: readonly string[]): Promise<string[]> {
  const facts = await Promise.all(files.map(fileFacts))
  return files.filter((_, index) => held === undefined || facts[index]?.inode !== held.inode)
}

async function* allLines(files: readonly string[], held: Held | undefined, lines: LogLines): AsyncGenerator<LogLine> {
  for (const file of files) yield* fromFile(file, lines)
  if (held) yield* fromHeld(held, lines)
}

async function* fromFile(file: string, lines: LogLines): AsyncGenerator<LogLine> {
  try {
    for await (const text of linesOf(file)) yield* entry(text, lines)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    // It was packed after it was listed, or it was the oldest and has been removed.
    if (!file.endsWith('.gz')) yield* fromFile(`${file}.gz`, lines)
  }
}

/** What the file has more than was read. */
async function* fromHeld(held: Held, lines: LogLines): AsyncGenerator<LogLine> {
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024)
    const { bytesRead } = await held.handle.read(chunk, 0, chunk.length, held.position)
    if (bytesRead === 0) return
    held.position += bytesRead
    const data = Buffer.concat([held.rest, chunk.subarray(0, bytesRead)])
    let from = 0
    for (let end = data.indexOf(10); end !== -1; end = data.indexOf(10, from)) {
      yield* entry(data.toString('utf8', from, end), lines)
      from = end + 1
    }
    held.rest = data.subarray(from)
  }
}

function* entry(text: string, lines: LogLines): Generator<LogLine> {
  const parsed = parseEntry(text)
  const line = parsed && lines.add(parsed)
  if (line) yield line
}

/** How many lines come before the last `tail` ones. */
async function linesBefore(
  tail: number,
  files: readonly string[],
  held: Held | undefined,
  since: number | undefined,
): Promise<number> {
  let count = 0
  for await (const line of allLines(files, held, new LogLines())) if (!isOlder(line, since)) count += 1
  if (held) Object.assign(held, { position: 0, rest: Buffer.alloc(0) })
  return Math.max(0, count - tail)
}

function isOlder({ time }: LogLine, since: number | undefined): boolean {
  return since !== undefined && Date.parse(time) < since
}

interface Following {
  ended: () => Promise<boolean>
  signal: AbortSignal
  lines: LogLines
  since: number | undefined
}

async function* following(file: string, first: Held | undefined, following: Following): AsyncGenerator<LogLine> {
  const { ended, signal, lines, since } = following
  let held = first
  let opened: Held | undefined
  let checked = performance.now()
  try {
    for (let over = false; ; ) {
      if (held) for await (const line of fromHeld(held, lines)) if (!isOlder(line, since)) yield line
      if (over || signal.aborted) break
      const now = await fileFacts(file)
      if (now !== undefined && now.inode !== held?.inode) {
        // It was moved away: what was still written to it is read before the new one.
        if (held) for await (const line of fromHeld(held, lines)) if (!isOlder(line, since)) yield line
        await opened?.handle.close()
        opened = await openFile(file)
        held = opened ?? held
        continue
      }
      await pause(lookMs, undefined, { signal }).catch(() => {})
      if (performance.now() - checked < endedMs) continue
      checked = performance.now()
      over = await ended()
    }
    yield* lines.rest()
  } finally {
    await opened?.handle.close()
  }
}
