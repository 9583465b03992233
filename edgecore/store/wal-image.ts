/** Sizes of the write-ahead log's header and of the header of each frame (sqlite.org/fileformat2.html, section 4). */
const headerBytes = 32
const frameHeaderBytes = 24

/**
 * The database file as its write-ahead log leaves it: what SQLite sees, made without writing anything. Everything up to
 * the last commit frame whose checksums fit counts; what a power cut left behind that does not. The result names no
 * log of its own, so that it can be opened from memory. Pure; `db` is not changed.
 */
export function withWal(db: Buffer, wal: Buffer): Buffer {
  const pages = committedPages(wal)
  const { pageSize, count } = pages ?? { pageSize: 0, count: 0 }
  const image = Buffer.alloc(pages === undefined ? db.length : count * pageSize)
  db.copy(image, 0, 0, image.length)
  for (const [page, at] of pages?.newest ?? []) {
    if (page <= count) wal.copy(image, (page - 1) * pageSize, at, at + pageSize)
  }
  // Read and write version 1: a rollback journal, which is all that a database in memory knows (section 1.3.3).
  if (image.length >= 100) image.fill(1, 18, 20)
  return image
}

interface Committed {
  pageSize: number
  /** Pages of the database after the last commit. */
  count: number
  /** Number of a page (from 1) to the place of its newest content in the log. */
  newest: ReadonlyMap<number, number>
}

function committedPages(wal: Buffer): Committed | undefined {
  if (wal.length < headerBytes) return undefined
  const magic = wal.readUInt32BE(0)
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return undefined
  const bigEndian = magic === 0x377f0683
  const pageSize = wal.readUInt32BE(8)
  let sum = checksum(wal.subarray(0, 24), [0, 0], bigEndian)
  if (!holds(wal, 24, sum) || pageSize < 512 || pageSize > 65536) return undefined
  const newest = new Map<number, number>()
  let count = 0
  let open: [number, number][] = []
  for (let at = headerBytes; at + frameHeaderBytes + pageSize <= wal.length; at += frameHeaderBytes + pageSize) {
    // The salts change each time the log starts anew: a frame with others is left over from before.
    if (wal.compare(wal, 16, 24, at + 8, at + 16) !== 0) break
    sum = checksum(wal.subarray(at, at + 8), sum, bigEndian)
    sum = checksum(wal.subarray(at + frameHeaderBytes, at + frameHeaderBytes + pageSize), sum, bigEndian)
    if (!holds(wal, at + 16, sum)) break
    open.push([wal.readUInt32BE(at), at + frameHeaderBytes])
    // Only the last frame of a transaction says how many pages there are.
    const pages = wal.readUInt32BE(at + 4)
    if (pages === 0) continue
    count = pages
    for (const [page, place] of open) newest.set(page, place)
    open = []
  }
  return count === 0 ? undefined : { pageSize, count, newest }
}

type Sum = readonly [number, number]

function holds(wal: Buffer, at: number, [first, second]: Sum): boolean {
  return wal.readUInt32BE(at) === first && wal.readUInt32BE(at + 4) === second
}

/** The log's checksum (section 4.2), over pairs of 32-bit words in the byte order that the header names. */
function checksum(bytes: Buffer, [first, second]: Sum, bigEndian: boolean): Sum {
  let [one, two] = [first, second]
  for (let at = 0; at < bytes.length; at += 8) {
    one = (one + (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + two) >>> 0
    two = (two + (bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + one) >>> 0
  }
  return [one, two]
}
