import { open } from 'node:fs/promises'
import { orUndefined } from './volume-writer.ts'

const mostLines = 80
const mostBytes = 2048
/** Each line carries its time and stream before the text. */
const readBytes = 16 * 1024

/** The end of a log in the CRI format, at most 80 lines or 2048 bytes, without times; undefined when there is none. */
export async function lastLines(path: string): Promise<string | undefined> {
  const end = await lastBytes(path, readBytes)
  return end && endOf(end.bytes.toString(), end.cut)
}

/** The last bytes of a file, however long it is; undefined when there is none. `cut`: there is more before them. */
export async function lastBytes(path: string, most: number): Promise<{ bytes: Buffer; cut: boolean } | undefined> {
  const file = await open(path, 'r').catch(orUndefined)
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - most)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, most)), 0, undefined, from)
    return { bytes: buffer.subarray(0, bytesRead), cut: from > 0 }
  } finally {
    await file.close()
  }
}

/** Pure part of it; `cut`: the first line may have lost its beginning. */
export function endOf(log: string, cut: boolean): string | undefined {
  const lines = log
    .split('\n')
    .slice(cut ? 1 : 0)
    .filter((line) => line !== '')
  const texts = lines.map((line) => {
    const [, , tag, ...rest] = line.split(' ')
    return rest.join(' ') + (tag === 'P' ? '' : '\n')
  })
  const text = texts.slice(-mostLines).join('')
  return text === '' ? undefined : Buffer.from(text).subarray(-mostBytes).toString()
}
