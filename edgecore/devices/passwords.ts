import { pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

interface Secret {
  iterations: number
  salt: Buffer
  hash: Buffer
}

export type Passwords = ReadonlyMap<string, Secret>

const derive = promisify(pbkdf2)

/**
 * Reads a password file of `mosquitto_passwd`: lines of `name:$7$iterations$salt$hash`, PBKDF2 over SHA-512. Returns the
 * first line that cannot be used as a fault.
 */
export function parsePasswords(text: string): { ok: true; passwords: Passwords } | { ok: false; fault: string } {
  const passwords = new Map<string, Secret>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const at = line.indexOf(':')
    const secret = at > 0 ? secretOf(line.slice(at + 1)) : undefined
    // The line itself is not told: it may hold a password in clear.
    if (secret === undefined) return { ok: false, fault: `line ${index + 1}: not as mosquitto_passwd writes it` }
    passwords.set(line.slice(0, at), secret)
  }
  if (passwords.size === 0) return { ok: false, fault: 'it names no user: add one with mosquitto_passwd' }
  return { ok: true, passwords }
}

function secretOf(text: string): Secret | undefined {
  const [, rounds, saltText = '', hashText = ''] = /^\$7\$(\d{1,7})\$([\w+/]+=*)\$([\w+/]+=*)$/.exec(text) ?? []
  const [salt, hash] = [Buffer.from(saltText, 'base64'), Buffer.from(hashText, 'base64')]
  const iterations = Number(rounds)
  return iterations > 0 && salt.length > 0 && hash.length === 64 ? { iterations, salt, hash } : undefined
}

/** Whether this is the password of this user; as slow for a user that there is not. */
export async function verify(passwords: Passwords, user: string, password: Buffer): Promise<boolean> {
  const known = passwords.get(user)
  const { iterations, salt, hash } = known ?? nobody
  const given = await derive(password, salt, iterations, hash.length, 'sha512')
  return timingSafeEqual(given, hash) && known !== undefined
}

const nobody: Secret = { iterations: 101, salt: Buffer.alloc(12), hash: Buffer.alloc(64) }
