/** Columns as kubectl prints them: as wide as their widest cell, three spaces between, no space at a line's end. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((row) => row.map(oneLine))
  const widths = header.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)))
  return lines
    .map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}

/** Values come from devices: a line break or a control character in one must not break the table. */
function oneLine(cell: string): string {
  const flat = cell.replaceAll(/\p{Cc}+/gu, ' ')
  return flat.length > 60 ? `${flat.slice(0, 59)}…` : flat
}

/** A time span as kubectl writes it: 45s, 12m, 5h, 3d, in the largest unit that gives at least two of it. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}
