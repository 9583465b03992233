import { matches } from '@kedge/shared/device-topics'

export type Access = 'read' | 'write'

interface Rule {
  /** Undefined for everybody. */
  user: string | undefined
  /** Whether `%u` and `%c` in the filter stand for user and client id. */
  pattern: boolean
  access: Record<Access, boolean> | 'deny'
  filter: string
}

export interface TopicRules {
  /** Whether a user may publish on a topic, or subscribe to a filter: all that it can match must be allowed. */
  may(who: { user: string; client: string }, access: Access, topicOrFilter: string): boolean
}

const accesses: Record<string, Rule['access']> = {
  read: { read: true, write: false },
  write: { read: false, write: true },
  readwrite: { read: true, write: true },
  deny: 'deny',
}

/**
 * Reads an access file in mosquitto's form: `user NAME`, `topic [read|write|readwrite|deny] FILTER`, and
 * `pattern [read|write|readwrite] FILTER` with `%u` (user) and `%c` (client id). Returns the first line that cannot be
 * read as a fault.
 */
export function parseRules(text: string): { ok: true; rules: TopicRules } | { ok: false; fault: string } {
  const rules: Rule[] = []
  let user: string | undefined
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, word = '', rest = ''] = /^(\w+)\s+(.*\S)\s*$/.exec(line) ?? []
    if (word === 'user' && rest !== '') user = rest
    else if ((word === 'topic' || word === 'pattern') && rest !== '') {
      const [, accessWord = 'readwrite', filter = ''] = /^(?:(read|write|readwrite|deny)\s+)?(.+)$/.exec(rest) ?? []
      const access = accesses[accessWord] ?? 'deny'
      rules.push({ user: word === 'pattern' ? undefined : user, pattern: word === 'pattern', access, filter })
    } else
      return { ok: false, fault: `line ${index + 1}: found ${JSON.stringify(line)}; user, topic or pattern is needed` }
  }
  return { ok: true, rules: { may: (who, access, asked) => allowed(rules, who, { access, asked }) } }
}

/**
 * The rules without a file: a user has the topics of the device that it is named after, `<namespace>/<name>` or `<name>`,
 * may upload, and has every topic that does not begin with `$`.
 */
export const ownDeviceRules: TopicRules = {
  may: ({ user, client }, access, asked) => {
    if (asked.startsWith('$')) return allowed(own, { user, client }, { access, asked })
    return asked !== '#' && !asked.startsWith('+') ? true : access === 'read'
  },
}

const own: readonly Rule[] = [
  { user: undefined, pattern: true, access: { read: true, write: true }, filter: '$hw/events/device/%u/#' },
  { user: undefined, pattern: false, access: { read: false, write: true }, filter: '$hw/events/upload/#' },
]

function allowed(
  rules: readonly Rule[],
  { user, client }: { user: string; client: string },
  { access, asked }: { access: Access; asked: string },
): boolean {
  const mine = rules.filter((rule) => rule.user === undefined || rule.user === user)
  // A name with a wildcard would open more than its own topics.
  if (/[+#]/.test(user + client) && mine.some(({ pattern }) => pattern)) return false
  const filterOf = ({ pattern, filter }: Rule) =>
    pattern ? filter.replaceAll('%u', user).replaceAll('%c', client) : filter
  if (mine.some((rule) => rule.access === 'deny' && touches(filterOf(rule), asked))) return false
  return mine.some((rule) => rule.access !== 'deny' && rule.access[access] && covers(filterOf(rule), asked))
}

/** Whether a filter matches everything that another one, or a topic, can match (MQTT 3.1.1, 4.7). */
export function covers(filter: string, other: string): boolean {
  if (!/[+#]/.test(other)) return matches(filter, other)
  const [wide, narrow] = [filter.split('/'), other.split('/')]
  if (other.startsWith('$') !== filter.startsWith('$')) return false
  for (const [at, level] of wide.entries()) {
    if (level === '#') return true
    const asked = narrow[at]
    if (asked === undefined || asked === '#') return false
    if (level !== '+' && level !== asked) return false
  }
  return wide.length === narrow.length
}

/** Whether two filters have a topic in common. */
export function touches(filter: string, other: string): boolean {
  if (filter.startsWith('$') !== other.startsWith('$')) return false
  const [one, two] = [filter.split('/'), other.split('/')]
  for (let at = 0; ; at++) {
    const [a, b] = [one[at], two[at]]
    if (a === '#' || b === '#') return true
    if (a === undefined || b === undefined) return a === b
    if (a !== '+' && b !== '+' && a !== b) return false
  }
}
