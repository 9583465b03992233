const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof units

/**
 * Milliseconds of a duration as Go writes it, with days besides: `1h30m`, `250ms`, `1.5s`, `24h`, `7d`, and `0`. The units
 * are ms, s, m, h and d. Throws an error that says what was found and what would be right.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim()
  if (trimmed === '0') return 0
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  const understood = parts.map(([whole]) => whole).join('')
  if (trimmed === '' || understood !== trimmed) {
    throw new Error(`"${text}" is not a duration: write numbers with a unit of ms, s, m, h or d, such as 30s or 1h30m`)
  }
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit as Unit], 0)
  if (!Number.isSafeInteger(Math.round(total))) throw new Error(`the duration "${text}" is too long`)
  return Math.round(total)
}

/** The shortest text that `parseDuration` reads back as `ms`: `1h30m`, `250ms`, `0s`. `ms` is a whole number ≥ 0. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms)
  if (rest <= 0) return '0s'
  let out = ''
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(rest / units[unit])
    if (count > 0) out += `${count}${unit}`
    rest -= count * units[unit]
  }
  return out
}
