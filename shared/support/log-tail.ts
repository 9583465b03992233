import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { output } from '../doctor/read-machine.ts'

export interface LogPlace {
  /** The file that a person names. */
  file?: string | undefined
  unit: string
  /** Of the program, if it runs. */
  pid: number | undefined
}

const mostBytes = 2 * 1024 * 1024
const mostLines = 5000

/**
 * The last lines of a program's log: of the file that is given; of the one that the program writes to; of the journal.
 * Throws where none of them can be read.
 */
export async function logTail({ file, unit, pid }: LogPlace, signal: AbortSignal): Promise<string> {
  if (file !== undefined) return tailOf(file)
  const own = `/proc/${pid}/fd/1`
  if (pid !== undefined && isFile(own)) return tailOf(own)
  const said = await output(
    'journalctl',
    ['-u', unit, '-n', String(mostLines), '-o', 'cat', '--no-pager'],
    signal,
  ).catch((cause: unknown) => {
    throw new Error('no log was found: name its file with --log FILE', { cause })
  })
  return said.slice(-mostBytes)
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** The end of a file, from the beginning of a line. */
export function tailOf(path: string, most = mostBytes): string {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const from = Math.max(0, size - most)
    const bytes = Buffer.alloc(size - from)
    const text = bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, from))
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1)
  } finally {
    closeSync(file)
  }
}
