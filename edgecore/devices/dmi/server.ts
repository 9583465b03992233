import type { Socket } from 'node:net'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { mended } from './authority.ts'
import { type Handlers, Refused } from './handlers.ts'
import { schema } from './schema.ts'

export interface DmiServer {
  /** Takes over a connection that nothing has been read from. */
  accept(socket: Socket): void
  stop(): void
}

/** More calls on one connection wait at the client: a flood is slowed down, not refused. */
const maxStreams = 128

export function openServer(handlers: Handlers, log: Log): DmiServer {
  const server = new Server({ 'grpc.max_concurrent_streams': maxStreams, 'grpc.enable_channelz': 0 })
  server.addService(
    schema.manager,
    Object.fromEntries(
      Object.entries(handlers).map(([method, handle]) => [
        method,
        (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>) =>
          void answer(handle, { call, done, method, log }),
      ]),
    ),
  )
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  return {
    accept: (socket) => injector.injectConnection(mended(socket)),
    stop: () => {
      injector.destroy()
      server.forceShutdown()
    },
  }
}

async function answer(
  handle: (request: unknown) => Promise<object>,
  {
    call,
    done,
    method,
    log,
  }: {
    call: ServerUnaryCall<object, object>
    done: sendUnaryData<object>
    method: string
    log: Log
  },
): Promise<void> {
  try {
    done(null, await handle(call.request))
  } catch (error) {
    const details = explain(error)
    if (error instanceof Refused) {
      log.debug({ method, reason: details }, 'mapper request refused')
      done({ code: error.code, details })
    } else {
      log.error({ method, reason: details }, 'mapper request failed')
      // Trying again may help: the disk was full, edgecore is about to stop.
      done({ code: status.UNAVAILABLE, details })
    }
  }
}
