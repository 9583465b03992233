/** One line for a person: the message of an error and of each cause below it, of those that say something new. */
export function explain(error: unknown): string {
  const parts: string[] = []
  let depth = 0
  for (let at: unknown = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    const said = messageOf(at)
    if (!parts.some((part) => part.includes(said))) parts.push(said)
    depth += 1
    if (depth === 8) break
  }
  return parts.join(': ')
}

/** A host with several addresses fails with an error for each of them, which says nothing itself. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
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
