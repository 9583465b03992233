/** A file of an archive. */
export interface TarFile {
  /** Relative, of fewer than 100 bytes. */
  name: string
  content: Buffer
}

/** A tar archive (POSIX ustar) of files that only their owner may read; `at`: seconds since the epoch. Pure. */
export function tarOf(files: readonly TarFile[], at: number): Buffer {
  return Buffer.concat([
    ...files.flatMap((file) => [headOf(file, at), file.content, padding(file.content)]),
    Buffer.alloc(1024),
  ])
}

function padding({ length }: Buffer): Buffer {
  return Buffer.alloc((512 - (length % 512)) % 512)
}

function headOf({ name, content }: TarFile, at: number): Buffer {
  if (Buffer.byteLength(name) >= 100) throw new Error(`${name} is too long a name for an archive`)
  const head = Buffer.alloc(512)
  const fields: [string, number][] = [
    ...([
      [name, 0],
      [octal(0o600, 7), 100],
      [octal(0, 7), 108],
      [octal(0, 7), 116],
    ] as [string, number][]),
    ...([
      [octal(content.length, 11), 124],
      [octal(at, 11), 136],
      [' '.repeat(8), 148],
      ['0', 156],
    ] as [string, number][]),
    ['ustar\u000000', 257],
  ]
  for (const [text, offset] of fields) head.write(text, offset)
  head.write(
    `${octal(
      head.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  )
  return head
}

function octal(value: number, digits: number): string {
  return Math.floor(value).toString(8).padStart(digits, '0')
}
