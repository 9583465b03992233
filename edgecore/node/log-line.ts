/** One entry of a container's log, the CRI log format: `<RFC 3339> <stdout|stderr> <P|F> <text>`. */
export interface LogEntry {
  /** As the engine wrote it. */
  time: string
  stream: string
  /** False for a piece of a line that goes on in a later entry of the same stream. */
  complete: boolean
  text: string
}

/** Reads one line without its line break; undefined for what is none, such as the torn end of a power cut. */
export function parseEntry(line: string): LogEntry | undefined {
  const afterTime = line.indexOf(' ')
  const afterStream = line.indexOf(' ', afterTime + 1)
  if (afterTime <= 0 || afterStream <= 0) return undefined
  const afterTags = line.indexOf(' ', afterStream + 1)
  const end = afterTags === -1 ? line.length : afterTags
  const stream = line.slice(afterTime + 1, afterStream)
  if (stream !== 'stdout' && stream !== 'stderr') return undefined
  const [tag] = line.slice(afterStream + 1, end).split(':')
  if (tag !== 'F' && tag !== 'P') return undefined
  return { time: line.slice(0, afterTime), stream, complete: tag === 'F', text: line.slice(end + 1) }
}

/** A line as the container wrote it. */
export interface LogLine {
  /** Of its first piece. */
  time: string
  text: string
}

/** A line without an end is given out in pieces of about so many characters. */
const longestLine = 1024 * 1024

/** Puts the pieces of long lines together again, each stream for itself. */
export class LogLines {
  readonly #open = new Map<string, LogLine>()

  /** What this entry completes, or undefined. */
  add({ time, stream, complete, text }: LogEntry): LogLine | undefined {
    const begun = this.#open.get(stream)
    const line = begun === undefined ? { time, text } : { time: begun.time, text: begun.text + text }
    if (!complete && line.text.length < longestLine) {
      this.#open.set(stream, line)
      return undefined
    }
    this.#open.delete(stream)
    return line
  }

  /** What has begun and not ended: the last words of a container that was killed. */
  rest(): LogLine[] {
    const lines = [...this.#open.values()]
    this.#open.clear()
    return lines
  }
}
