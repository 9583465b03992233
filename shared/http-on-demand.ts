import type { Server as HttpServer, RequestListener } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import type { Service } from './service.ts'

export interface HttpOnDemand extends Service {
  /** What listens. */
  readonly listener: Server
}

/** A server for HTTP, which is loaded with the first connection: 1 MB that a board seldom needs. It listens nowhere yet. */
export function httpOnDemand(answer: RequestListener): HttpOnDemand {
  let http: Promise<HttpServer> | undefined
  const open = new Set<Socket>()
  const listener = createServer({ pauseOnConnect: true }, (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    http ??= import('node:http').then(({ createServer }) => createServer(answer))
    // As Node.js documents it for the event 'connection'.
    http.then(
      (server) => {
        server.emit('connection', socket)
        socket.resume()
      },
      () => socket.destroy(),
    )
  })
  return {
    listener,
    /** Ends all connections at once. */
    stop: async () => {
      if (!listener.listening) return
      const closed = new Promise((resolve) => listener.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}
