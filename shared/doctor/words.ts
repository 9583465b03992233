import type { Finding } from './check.ts'

/** What a doctor's command prints, and its exit code. */
export interface Told {
  out: string
  /** 0: nothing fails. 1: something has to be mended. */
  code: 0 | 1
}

/** Who was looked at, for the head of it. */
export interface Patient {
  program: string
  version: string
  /** RFC 3339. */
  at: string
}

/** The findings as people or programs read them. Pure. */
export function told(findings: readonly Finding[], patient: Patient, output: 'table' | 'json'): Told {
  const code = findings.some(({ standing }) => standing === 'fail') ? 1 : 0
  if (output === 'json') return { out: `${JSON.stringify({ ...patient, ok: code === 0, findings }, null, 2)}\n`, code }
  return { out: `${findings.map((finding) => lines(finding, widthOf(findings))).join('')}${summary(findings)}\n`, code }
}

const words = { ok: 'ok', warn: 'WARN', fail: 'FAIL', skip: '-' } as const

function widthOf(findings: readonly Finding[]): number {
  return Math.max(...findings.map(({ check }) => check.length), 0)
}

/** What was found in one line, and what to do about it in another below. */
function lines({ check, standing, found, todo }: Finding, width: number): string {
  const line = `${words[standing].padEnd(4)}   ${check.padEnd(width)}   ${oneLine(found)}\n`
  return todo === undefined ? line : `${line}${' '.repeat(width + 10)}→ ${oneLine(todo)}\n`
}

function summary(findings: readonly Finding[]): string {
  const count = (standing: Finding['standing']) => findings.filter((one) => one.standing === standing).length
  const failed = count('fail')
  const warned = count('warn')
  if (failed + warned === 0) return 'all is well'
  const parts = [failed > 0 && `${failed} to mend`, warned > 0 && `${warned} to look at`]
  return parts.filter((part) => part !== false).join(', ')
}

/** What others say may hold line breaks. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').trim()
}
