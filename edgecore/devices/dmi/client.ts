import { Client, connectivityState, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { explain } from '@kedge/shared/errors'
import { type MapperMethod, schema } from './schema.ts'

/** How a call ended. What is not ok says whether the mapper could not be reached, took too long, or refused. */
export type Ended = { is: 'ok' } | { is: 'unreachable' | 'late' | 'refused'; reason: string; code: number }

/** A mapper that can be called. */
export interface MapperClient {
  /** Never rejects. */
  call(method: MapperMethod, request: object): Promise<Ended>
  close(): void
}

export interface Connect {
  /** The path of the mapper's Unix socket. */
  address: string
  /** Milliseconds that the connection, and each call, may take. */
  deadline: number
  /** The connection is lost; not called after `close`. */
  onDown: () => void
}

const channelOptions = {
  // Whether the connection stands is what tells a mapper that runs from one that is gone: it stays open.
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
}

/** Connects to a mapper; rejects when nobody answers at its socket. */
export async function connectMapper({ address, deadline, onDown }: Connect): Promise<MapperClient> {
  const client = new Client(`unix:${address}`, credentials.createInsecure(), channelOptions)
  try {
    await ready(client, deadline)
  } catch (error) {
    client.close()
    throw error
  }
  let closed = false
  client.getChannel().watchConnectivityState(connectivityState.READY, Infinity, () => {
    if (!closed) onDown()
  })
  return {
    call: (method, request) => call(client, { method, request, deadline }),
    close: () => {
      closed = true
      client.close()
    },
  }
}

function ready(client: Client, deadline: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + deadline, (error) => (error ? reject(error) : resolve()))
  })
}

function call(
  client: Client,
  { method, request, deadline }: { method: MapperMethod; request: object; deadline: number },
): Promise<Ended> {
  const { path, requestSerialize, responseDeserialize } = schema.mapper[method]
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) =>
      resolve(error && !isSettled(error, method) ? endOf(error) : { is: 'ok' })
    const options = { deadline: Date.now() + deadline }
    try {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), options, done)
    } catch (error) {
      // The client was closed meanwhile.
      resolve({ is: 'unreachable', reason: explain(error), code: status.UNAVAILABLE })
    }
  })
}

function endOf({ code, details }: ServiceError): Ended {
  const reason = details || (status[code] ?? `gRPC status ${code}`)
  if (code === status.UNAVAILABLE || code === status.CANCELLED) return { is: 'unreachable', reason, code }
  return { is: code === status.DEADLINE_EXCEEDED ? 'late' : 'refused', reason, code }
}

/** The mapper says that it has already what it is told of, or has it no longer. */
function isSettled({ code }: ServiceError, method: MapperMethod): boolean {
  if (method.startsWith('Remove')) return code === status.NOT_FOUND
  return !method.startsWith('Update') && code === status.ALREADY_EXISTS
}
