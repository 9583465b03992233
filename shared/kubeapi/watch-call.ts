import { explain } from '../errors.ts'
import { type Answer, type Call, renderingOf } from './call.ts'
import { forbidden } from './causes.ts'
import { selectionOf } from './list.ts'
import { type ListOptions, listOptions } from './request.ts'
import { invalidOptions } from './status.ts'
import type { Sink, WatchRequest } from './watcher.ts'

/** A watch without a timeout of its own lasts between this and twice this, so that watches do not all end at once. */
const minimumSeconds = 1800

/** Answers a watch: a stream of events that ends with its timeout. Throws a `StatusError` before it begins. */
export function watchCall(call: Call): Answer {
  const { kind, target } = call
  const options = optionsOf(call)
  const { form, includeObject } = renderingOf(call)
  const request: WatchRequest = {
    kind,
    namespace: target.namespace,
    selection: selectionOf(kind, options),
    form,
    includeObject,
    from: startOf(call, options),
    bookmarks: options.allowWatchBookmarks,
    markInitial: options.sendInitialEvents === true,
  }
  return {
    code: 200,
    headers: { 'content-type': 'application/json' },
    stream: (sink) => void run(call, request, { sink, seconds: secondsOf(call, options) }),
  }
}

/** A watch of one name is a watch of the collection with a selector. */
function optionsOf({ query, target }: Call): ListOptions {
  const options = listOptions(query)
  if (options.sendInitialEvents !== undefined && options.resourceVersionMatch !== 'NotOlderThan') {
    const why = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'
    throw invalidOptions('ListOptions', forbidden('resourceVersionMatch', why))
  }
  if (target.name === '') return options
  const named = `metadata.name=${target.name}`
  return { ...options, fieldSelector: options.fieldSelector === '' ? named : `${options.fieldSelector},${named}` }
}

/** Without a resourceVersion, and from 0, a watch begins with what there is. */
function startOf({ storage }: Call, { resourceVersion, sendInitialEvents }: ListOptions): number | undefined {
  if (sendInitialEvents === true) return undefined
  if (resourceVersion === '' || resourceVersion === '0') {
    return sendInitialEvents === false ? storage.revision : undefined
  }
  return Number(resourceVersion)
}

function secondsOf({ random }: Call, { timeoutSeconds }: ListOptions): number {
  const seconds = timeoutSeconds > 0 ? timeoutSeconds : minimumSeconds * (1 + random())
  return Math.min(seconds, 24 * 3600)
}

async function run(
  call: Call,
  request: WatchRequest,
  { sink, seconds }: { sink: Sink; seconds: number },
): Promise<void> {
  const { hub, log, request: from } = call
  const timer = setTimeout(() => sink.end(), seconds * 1000)
  try {
    const onCut = (why: string) => log.warn({ user: from.user.name, url: from.url, why }, 'watch cut')
    const close = await hub.open(request, sink, onCut)
    await sink.finished
    close()
  } catch (error) {
    log.error({ url: from.url, reason: explain(error) }, 'watch failed')
    sink.cut()
  } finally {
    clearTimeout(timer)
  }
}
