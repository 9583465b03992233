import { type ApiKind, apiVersionOf } from './kinds.ts'
import { isSelected, type Selection } from './list.ts'
import type { Rendering } from './render.ts'
import { expired, type StatusError } from './status.ts'
import { type Change, Entry, type Storage } from './storage.ts'
import { encodeEvent, initialEventsEnd, type WatchEvent } from './watch-events.ts'

/** Where the events of one watch go. */
export interface Sink {
  write(chunk: Buffer): void
  /** Bytes written and not yet taken by the network. */
  readonly pending: number
  readonly closed: boolean
  /** Resolves when little is pending, or the stream is closed. */
  drained(): Promise<void>
  /** Resolves when the stream is closed, by either side. */
  readonly finished: Promise<void>
  /** Ends the stream in order. */
  end(): void
  /** Cuts the stream: the client lists again. */
  cut(): void
}

export interface WatchRequest {
  kind: ApiKind
  /** Empty for all namespaces. */
  namespace: string
  selection: Selection
  form: Rendering['form']
  includeObject: Rendering['includeObject']
  /** Events after this resourceVersion; undefined begins with everything there is, each ADDED. */
  from: number | undefined
  bookmarks: boolean
  /** Ends what there was with a bookmark that says so. */
  markInitial: boolean
}

/** A watcher that lets this many bytes pile up is cut. */
export const maxPendingBytes = 8 * 1024 * 1024
/** How much is read at once for a watcher that catches up: with one more object, well under `maxPendingBytes`. */
export const pageBytes = 2 * 1024 * 1024

/** One watch: what of the changes it is told of, and what it has been sent. */
export class Watcher {
  readonly request: WatchRequest
  readonly sink: Sink
  readonly #now: () => number
  readonly #onCut: (why: string) => void
  #first = true

  constructor(request: WatchRequest, sink: Sink, now: () => number, onCut: (why: string) => void) {
    this.request = request
    this.sink = sink
    this.#now = now
    this.#onCut = onCut
  }

  /** Sends what there is as ADDED; returns the resourceVersion that it is the state of. */
  async sendAll(storage: Storage): Promise<number | undefined> {
    const { kind, namespace, selection, markInitial } = this.request
    const at = storage.revision
    const scope = { resource: kind.storage, at, maxBytes: pageBytes, ...(namespace === '' ? {} : { namespace }) }
    let last: Entry | undefined
    for (;;) {
      const entries = storage.list({ ...scope, ...(last === undefined ? {} : { after: last }) })
      for (const entry of entries) if (isSelected(kind, selection, entry)) this.#send({ type: 'ADDED', entry }, entry)
      if (entries.length === 0) break
      last = entries.at(-1)
      await this.sink.drained()
      if (this.sink.closed) return undefined
      if (at < storage.oldest) {
        this.fail(expired(`too old resource version: ${at} (${storage.oldest})`))
        return undefined
      }
    }
    if (markInitial) this.bookmark(at, { [initialEventsEnd]: 'true' })
    return at
  }

  /** Sends what a change means to this watcher: an object may come into or fall out of its selection. */
  offer(change: Change): void {
    const { kind, namespace, selection } = this.request
    const { entry, previous, type } = change
    if (namespace !== '' && entry.namespace !== namespace) return
    const is = type !== 'DELETED' && isSelected(kind, selection, entry)
    const was = type !== 'ADDED' && isSelected(kind, selection, previous ?? entry)
    if (is) this.#send({ type: was ? 'MODIFIED' : 'ADDED', entry }, change)
    else if (was) this.#send({ type: 'DELETED', entry: type === 'DELETED' ? entry : leaving(change) }, change)
  }

  bookmark(rv: number, annotations?: Record<string, string>): void {
    if (!this.request.bookmarks && annotations === undefined) return
    const { kind } = this.request
    const object = {
      kind: kind.kind,
      apiVersion: apiVersionOf(kind),
      metadata: { resourceVersion: String(rv), creationTimestamp: null, ...(annotations ? { annotations } : {}) },
    }
    this.#write(Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`))
  }

  fail(error: StatusError): void {
    this.#write(Buffer.from(`${JSON.stringify({ type: 'ERROR', object: error.status })}\n`))
    this.sink.end()
  }

  #send(event: WatchEvent, origin: object): void {
    const { kind, form, includeObject } = this.request
    const rendering = { kind, form, includeObject, now: this.#now() }
    this.#write(encodeEvent(rendering, event, { origin, first: this.#first }))
    this.#first = false
  }

  #write(chunk: Buffer): void {
    if (this.sink.closed) return
    this.sink.write(chunk)
    if (this.sink.pending <= maxPendingBytes) return
    this.#onCut('too slow')
    this.sink.cut()
  }
}

/** The state before the change that took the object out of a selection, at the resourceVersion of that change. */
function leaving({ entry, previous }: Change): Entry {
  const { object } = previous ?? entry
  const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(entry.rv) } }
  return new Entry(entry, entry.rv, JSON.stringify(last))
}
