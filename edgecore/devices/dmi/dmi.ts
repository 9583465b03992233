import type { Server, Socket } from 'node:net'
import { explain, UserError } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { Handlers } from './handlers.ts'
import type { DmiServer } from './server.ts'
import { listenAt, socketPaths } from './socket.ts'

export interface DmiOptions {
  /** A path, or `auto`. */
  socket: string
  /** The data folder of edgecore. */
  data: string
  handlers: Handlers
  log: Log
}

export interface Dmi extends Service {
  /** Where mappers register; undefined when there was no place for the socket. */
  readonly path: string | undefined
}

/**
 * Opens the socket where mappers register. The gRPC library is loaded with the first connection, for it takes more memory
 * than all the rest of the devices. Throws a `UserError` when a path that was asked for cannot be used.
 */
export async function openDmi({ socket, data, handlers, log }: DmiOptions): Promise<Dmi> {
  const door = new Door(handlers, log)
  for (const path of socketPaths(socket, { data })) {
    try {
      const listener = await listenAt(path, (connection) => door.take(connection))
      log.info({ path }, 'mappers can register')
      return { path, stop: () => door.close(listener) }
    } catch (error) {
      if (socket !== 'auto') throw new UserError(`--dmi-socket: ${explain(error)}`)
      log.warn({ path, reason: explain(error) }, 'mappers cannot register here')
    }
  }
  return { path: undefined, stop: async () => {} }
}

/** Hands connections to the gRPC server, which the first one starts. */
class Door {
  readonly #handlers: Handlers
  readonly #log: Log
  readonly #open = new Set<Socket>()
  #server: Promise<DmiServer> | undefined

  constructor(handlers: Handlers, log: Log) {
    this.#handlers = handlers
    this.#log = log
  }

  take(socket: Socket): void {
    this.#open.add(socket)
    // A client that is gone before the server is there.
    socket.on('error', () => {})
    socket.once('close', () => this.#open.delete(socket))
    this.#server ??= import('./server.ts').then(({ openServer }) => openServer(this.#handlers, this.#log))
    this.#server.then(
      (server) => {
        if (!socket.destroyed) server.accept(socket)
      },
      (error: unknown) => {
        this.#log.error({ reason: explain(error) }, 'gRPC not loaded')
        this.#server = undefined
        socket.destroy()
      },
    )
  }

  async close(listener: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
    const server = await this.#server?.catch(() => undefined)
    server?.stop()
    for (const socket of this.#open) socket.destroy()
    await closed
  }
}
