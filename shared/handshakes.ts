import { createServer, type Server, type Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { sourceOf } from './source-address.ts'

/** Milliseconds that a handshake counts: one that stalls goes on until it times out, and holds nobody up. */
const longest = 500

/**
 * A listener before a TLS server, which begins so many handshakes at once and lets the other connections wait; each source
 * has its turn. Without it a thousand that come at once all proceed a little at a time, and on a slow machine all of them
 * run out of time; so those whose turn it is finish, and the others may try again.
 */
export function inTurns(secure: TlsServer, atOnce: number): Server {
  /** By source; no set is empty. */
  const waiting = new Map<string, Set<Socket>>()
  const under = new Map<string, () => void>()
  let free = atOnce
  const begin = (socket: Socket) => {
    free--
    const key = otherEnd(socket)
    const end = () => {
      clearTimeout(timer)
      if (under.get(key) !== end) return
      under.delete(key)
      free++
      next()
    }
    const timer = setTimeout(end, longest)
    under.set(key, end)
    socket.once('close', end)
    secure.emit('connection', socket)
  }
  const leave = (source: string, socket: Socket) => {
    const own = waiting.get(source)
    own?.delete(socket)
    if (own?.size === 0) waiting.delete(source)
  }
  const next = () => {
    const [turn] = waiting
    const [socket] = turn?.[1] ?? []
    if (turn === undefined || socket === undefined || free === 0) return
    const [source, own] = turn
    leave(source, socket)
    // Its source goes to the end.
    if (waiting.delete(source)) waiting.set(source, own)
    begin(socket)
  }
  // The connection below TLS and the one above it are two sockets: what they have in common is the other end.
  secure.on('secureConnection', (socket) => under.get(otherEnd(socket))?.())
  // Paused: what comes meanwhile is for the handshake.
  return createServer({ pauseOnConnect: true }, (socket) => {
    if (free > 0) return begin(socket)
    const source = sourceOf(socket.remoteAddress)
    const own = waiting.get(source)
    if (own === undefined) waiting.set(source, new Set([socket]))
    else own.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => leave(source, socket))
  })
}

function otherEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
