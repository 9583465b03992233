import type { Server, Socket } from 'node:net'
import { type Beginning, HalfOpen, type HalfOpenBounds } from './half-open.ts'
import { sourceOf } from './source-address.ts'

export interface HalfOpenOptions {
  /** Unbounded without it. */
  halfOpen?: HalfOpenBounds | undefined
  /** A connection was one too many. */
  onTurnedAway?: (source: string, why: 'half-open', reason: string) => void
}

/**
 * Bounds the connections of a server, TCP or TLS, from their first byte on until the function that it returns is called
 * with them.
 */
export function boundHalfOpen(server: Server, { halfOpen, onTurnedAway }: HalfOpenOptions): (socket: unknown) => void {
  if (halfOpen === undefined) return () => {}
  const all = new HalfOpen(halfOpen)
  /** The connection below TLS and the one above it are two sockets: what they have in common is the other end. */
  const begun = new Map<string, Beginning>()
  server.on('connection', (socket: Socket) => {
    const end = otherEnd(socket)
    const source = sourceOf(socket.remoteAddress)
    const cut = (reason: string) => {
      onTurnedAway?.(source, 'half-open', reason)
      socket.destroy()
    }
    const beginning = { source, cut }
    begun.set(end, beginning)
    socket.once('close', () => {
      all.remove(beginning)
      if (begun.get(end) === beginning) begun.delete(end)
    })
    all.add(beginning)
  })
  return (socket) => {
    const beginning = begun.get(otherEnd(socket as Socket))
    if (beginning !== undefined) all.remove(beginning)
  }
}

function otherEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
