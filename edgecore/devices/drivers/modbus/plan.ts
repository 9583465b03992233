/** The four tables of Modbus, by KubeEdge's names. */
export const tables = ['CoilRegister', 'DiscreteInputRegister', 'InputRegister', 'HoldingRegister'] as const
export type Table = (typeof tables)[number]

/** Where a property lies: addresses count from 0. */
export interface Span {
  name: string
  table: Table
  address: number
  length: number
}

/** One request, and whose values its answer has. */
export interface Read {
  table: Table
  address: number
  length: number
  spans: Span[]
}

/** What one request may ask for (Modbus application protocol 1.1b3, 6.1 to 6.4). */
const most: Record<Table, number> = {
  CoilRegister: 2000,
  DiscreteInputRegister: 2000,
  InputRegister: 125,
  HoldingRegister: 125,
}

export function isBits(table: Table): boolean {
  return table === 'CoilRegister' || table === 'DiscreteInputRegister'
}

/**
 * The fewest requests that read these properties, in the order of their addresses. Neighbours are read together when at
 * most `maxGap` addresses lie between them; those in `alone` by themselves. Pure.
 */
export function planReads(
  spans: readonly Span[],
  { maxGap = 0, alone = new Set() }: { maxGap?: number; alone?: ReadonlySet<string> } = {},
): Read[] {
  const reads: Read[] = []
  const sorted = spans.toSorted((a, b) => tables.indexOf(a.table) - tables.indexOf(b.table) || a.address - b.address)
  let last: Read | undefined
  for (const span of sorted) {
    const { name, table, address, length } = span
    if (alone.has(name)) {
      reads.push({ table, address, length, spans: [span] })
      continue
    }
    if (last !== undefined && joins(last, span, maxGap)) {
      last.length = Math.max(last.length, address + length - last.address)
      last.spans.push(span)
      continue
    }
    last = { table, address, length, spans: [span] }
    reads.push(last)
  }
  return reads
}

function joins(read: Read, { table, address, length }: Span, maxGap: number): boolean {
  if (read.table !== table || address > read.address + read.length + maxGap) return false
  return Math.max(read.length, address + length - read.address) <= most[table]
}
