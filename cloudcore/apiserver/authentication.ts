import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { administrators, type User } from '@kedge/shared/kubeapi/access'
import { keepFile, readKept } from '../identity/keep-file.ts'

const everyone = 'system:authenticated'

export const administrator: User = {
  name: 'kubernetes-admin',
  uid: '',
  groups: [administrators, everyone],
}

/** Name of the file with the administrator's token, beside the authority's. */
export const tokenFile = 'admin.token'

/** The administrator's token, made once and kept in the file. */
export function adminToken(path: string): string {
  const kept = readKept(path)?.trim()
  if (kept) return kept
  const token = randomBytes(32).toString('base64url')
  keepFile(path, `${token}\n`)
  return token
}

/** Tells who sends a request: by its bearer token, otherwise by the client certificate of its connection. */
export function authenticator(token: string): (message: IncomingMessage) => User | undefined {
  return (message) => {
    const shown = /^Bearer +(\S+)$/i.exec(message.headers.authorization ?? '')?.[1]
    if (shown !== undefined) return same(shown, token) ? administrator : undefined
    if (message.headers.authorization !== undefined) return undefined
    return byCertificate(message)
  }
}

/** In constant time, so that no part of the token can be found out by measuring. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

/** A certificate of our authority: its CN is the user, its Os are the groups. */
function byCertificate({ socket }: IncomingMessage): User | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const { subject } = socket.getPeerCertificate()
  if (subject === undefined || typeof subject.CN !== 'string') return undefined
  // Node types O as one text; of several it makes an array.
  const groups = ([] as string[]).concat((subject.O as string | string[] | undefined) ?? [])
  return { name: subject.CN, uid: '', groups: [...groups, everyone] }
}
