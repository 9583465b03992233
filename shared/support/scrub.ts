/** What stands where something secret was. */
export const hidden = '(hidden)'

/** A shorter text is not looked for: it would be found in everything. */
const shortest = 6

/**
 * Takes everything secret out of a text: what is known to be (`secretForms`), and what looks like it, wherever it comes
 * from. It hides too much rather than too little. Pure.
 */
export function scrub(text: string, forms: readonly string[]): string {
  const known = forms.reduce((left, form) => left.replaceAll(form, hidden), text)
  return shapes.reduce((left, [shape, instead]) => left.replaceAll(shape, instead), known)
}

/** How secrets may stand in a text: as they are, line by line, in base64, as JSON or a URL writes them. The longest first. */
export function secretForms(secrets: Iterable<string>): string[] {
  const forms = new Set<string>()
  for (const secret of secrets) {
    for (const each of [secret, secret.trim(), ...secret.split(/\r?\n/).map((line) => line.trim())]) {
      if (each.length < shortest || everyday.has(each)) continue
      const bytes = Buffer.from(each)
      const written = [JSON.stringify(each).slice(1, -1), encodeURIComponent(each)]
      for (const form of [each, ...written, bytes.toString('base64'), bytes.toString('base64url')]) forms.add(form)
    }
  }
  return [...forms].sort((a, b) => b.length - a.length)
}

/** Somebody's secret, perhaps, and a word that everything else is full of: without it nothing could be read. */
const everyday = new Set(['default', 'kube-system', 'localhost', '127.0.0.1', '0.0.0.0', 'production', 'string'])

/** Shapes of what is secret, and what stays of them. */
const shapes: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)/gs, hidden],
  // Join tokens, JSON web tokens, passwords as mosquitto_passwd hashes them.
  [/\bkedge1\.[\w.-]+/g, hidden],
  [/\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?/g, hidden],
  [/\$[67]\$(\d+\$)?[\w+/=]+\$[\w+/=]+/g, hidden],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${hidden}`],
  [/(:\/\/[^/\s:@"]+):[^/\s@"]+@/g, `$1:${hidden}@`],
  [
    /((?:password|passwd|secret|token|api-?key|client-key-data)\w*\\?["']?\s*[=:]\s*\\?["']?)[^\s"'\\,;}&(]{3,}/gi,
    `$1${hidden}`,
  ],
]
