/** A file, a folder or a link of a tar archive. */
export interface TarEntry {
  path: string
  mode?: number
  data?: Buffer
  /** Where a symbolic link points to. */
  link?: string
}

/** A tar archive (POSIX ustar) of entries whose paths are short; one without data or a link is a folder. */
export function tar(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(record), Buffer.alloc(1024)])
}

function record({ path, mode, data, link }: TarEntry): Buffer[] {
  const isFolder = data === undefined && link === undefined
  const head = Buffer.alloc(512)
  head.write(isFolder ? `${path}/` : path, 0)
  head.write(octal(mode ?? (isFolder ? 0o755 : 0o644), 7), 100)
  head.write(octal(0, 7), 108)
  head.write(octal(0, 7), 116)
  head.write(octal(data?.length ?? 0, 11), 124)
  head.write(octal(0, 11), 136)
  head.write(' '.repeat(8), 148)
  head.write(isFolder ? '5' : link === undefined ? '0' : '2', 156)
  head.write(link ?? '', 157)
  head.write('ustar\u000000', 257)
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${octal(sum, 6)}\0 `, 148)
  if (data === undefined) return [head]
  return [head, data, Buffer.alloc((512 - (data.length % 512)) % 512)]
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
