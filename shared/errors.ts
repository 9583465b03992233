/** One line for a person: the message of an error and of each cause below it. */
export function explain(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    parts.push(at instanceof Error ? at.message : String(at))
    if (parts.length === 8) break
  }
  return parts.join(': ')
}

/** The `code` of a Node.js system error (`ENOENT`, `EADDRINUSE`, …), or undefined. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** What the person at the terminal can mend: told without a stack, exit code 2. */
export class UserError extends Error {
  override name = 'UserError'
}
