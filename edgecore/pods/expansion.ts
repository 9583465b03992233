/**
 * Replaces `$(NAME)` by the value of NAME, the way Kubernetes does in commands, arguments, environment values and
 * `subPathExpr`: `$$` stands for one `$`, so `$$(NAME)` stays `$(NAME)`; what is unknown to `resolve` stays as written,
 * and so does everything else.
 */
export function expand(text: string, resolve: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (found, name: string | undefined) => {
    if (name === undefined) return '$'
    return resolve(name) ?? found
  })
}

/** The names that a text refers to and `resolve` does not know. */
export function unknownNames(text: string, resolve: (name: string) => string | undefined): string[] {
  const names: string[] = []
  expand(text, (name) => {
    const value = resolve(name)
    if (value === undefined) names.push(name)
    return value
  })
  return names
}
