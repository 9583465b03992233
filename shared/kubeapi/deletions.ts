import { rfc3339 } from '../clock.ts'
import { type Answer, type Call, commit, contentType, jsonAnswer, renderingOf } from './call.ts'
import { apiVersionOf } from './kinds.ts'
import { atOnce } from './lifecycle.ts'
import { isSelected, selectionOf } from './list.ts'
import { decodeBody } from './negotiate.ts'
import { type DeleteOptions, deleteOptions, remove, removeAll } from './remove.ts'
import { renderObject } from './render.ts'
import { dryRun, listOptions } from './request.ts'
import type { Entry } from './storage.ts'

async function optionsOf(call: Call): Promise<DeleteOptions> {
  const body = await call.request.body()
  return deleteOptions(body.length === 0 ? undefined : decodeBody(body, contentType(call)), call.query)
}

function rehearsal(call: Call, options: DeleteOptions) {
  return {
    dryRun: dryRun([...(options.dryRun ?? []), ...call.query.getAll('dryRun')]),
    fieldValidation: 'Ignore' as const,
  }
}

/** Answers the deletion of one object. */
export async function single(call: Call): Promise<Answer> {
  const options = await optionsOf(call)
  const { body } = await commit(call, rehearsal(call, options), (context) => remove(context, call.target.name, options))
  return jsonAnswer(200, body)
}

/**
 * Answers the deletion of all that the selectors pick: the list of what was there. As in Kubernetes each object goes by
 * itself, here a hundred at a time, so that nobody waits for all of them; those that come meanwhile stay.
 */
export async function collection(call: Call): Promise<Answer> {
  const { kind, query, storage } = call
  const options = await optionsOf(call)
  const how = rehearsal(call, options)
  const selection = selectionOf(kind, listOptions(query))
  const rendering = { ...renderingOf(call), form: { as: 'object' } as const }
  const items: string[] = []
  for (const entries of pages(call)) {
    const selected = entries.filter((entry) => isSelected(kind, selection, entry))
    if (selected.length === 0) await nextTurn()
    else {
      const objects = await commit(call, how, (context) => removeAll(context, selected, options))
      items.push(...objects.map((object) => renderObject(rendering, object)))
    }
  }
  const metadata = { resourceVersion: String(storage.revision) }
  const head = JSON.stringify({ kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata })
  return {
    code: 200,
    headers: { 'content-type': 'application/json' },
    body: `${head.slice(0, -1)},"items":[${items.join(',')}]}`,
  }
}

/** What is there now, in pages that are read when they are asked for; without what was made after the call. */
function* pages({ storage, kind, target, clock }: Call): Generator<Entry[]> {
  const scope = { resource: kind.storage, ...(kind.namespaced ? { namespace: target.namespace } : {}) }
  const began = rfc3339(clock.now())
  for (let last: Entry | undefined; ; ) {
    const entries = storage.list({ ...scope, ...(last === undefined ? {} : { after: last }), limit: atOnce })
    yield entries.filter(({ object }) => (object.metadata.creationTimestamp ?? '') <= began)
    if (entries.length < atOnce) return
    last = entries.at(-1)
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
