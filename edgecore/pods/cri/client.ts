import { codes, GrpcChannel, GrpcError, type Method, type StreamEvents } from './grpc.ts'

/** How long the engine may take, unless a call says otherwise: a slow card under load does. */
const answerMs = 30_000
/** How long it may take for what starts and ends processes. */
export const workMs = 240_000

/** The engine's socket, with errors that tell a person what to do. */
export class CriClient {
  readonly #channel: GrpcChannel

  /** `endpoint` gives the path of the socket, or throws an error that says why there is none. */
  constructor(endpoint: () => string) {
    this.#channel = new GrpcChannel(endpoint)
  }

  /** Rejects with a `GrpcError`; its message names the call. */
  async call<I, O>(method: Method<I, O>, input: I, deadlineMs = answerMs): Promise<O> {
    try {
      return await this.#channel.call(method, input, deadlineMs)
    } catch (error) {
      throw error instanceof GrpcError ? inWords(error, method.path) : error
    }
  }

  stream<I, O>(method: Method<I, O>, input: I, on: StreamEvents<O>): () => void {
    return this.#channel.stream(method, input, on)
  }

  close(): void {
    this.#channel.close()
  }
}

function inWords(error: GrpcError, path: string): GrpcError {
  const call = path.slice(path.lastIndexOf('/') + 1)
  if (error.code === codes.unimplemented && error.message.startsWith('unknown service')) {
    const message =
      'the container engine does not serve the CRI v1: containerd 1.6 or newer does, unless "cri" is among disabled_plugins in /etc/containerd/config.toml (as Docker ships it)'
    return new GrpcError(error.code, message, { cause: error })
  }
  return new GrpcError(error.code, `${call}: ${error.message}`, { cause: error.cause })
}

/** Whether the engine says that there is no such thing. */
export function isGone(error: unknown): boolean {
  return error instanceof GrpcError && error.code === codes.notFound
}

export function unlessGone(error: unknown): void {
  if (!isGone(error)) throw error
}

/** Whether it took longer than it was given. */
export function isLate(error: unknown): boolean {
  if (!(error instanceof GrpcError)) return false
  return error.code === codes.deadlineExceeded || /timeout .*exceeded|timed out/i.test(error.message)
}

/** Makes something of which there can be one: a repeat after an answer that was lost finds what was made. */
export async function once(make: () => Promise<string>, find: () => Promise<string | undefined>): Promise<string> {
  try {
    return await make()
  } catch (error) {
    // Engines keep the name of what they make: `name "…" is reserved for "…"`.
    const found = error instanceof GrpcError && /reserved|already exists|in use/i.test(error.message) && (await find())
    if (found) return found
    throw error
  }
}
