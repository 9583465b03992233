import { type Answer, type Call, commit, contentType, jsonAnswer, renderingOf } from './call.ts'
import { apiVersionOf } from './kinds.ts'
import { isSelected, selectionOf } from './list.ts'
import { decodeBody } from './negotiate.ts'
import { type DeleteOptions, deleteOptions, remove, removeAll } from './remove.ts'
import { renderObject } from './render.ts'
import { dryRun, listOptions } from './request.ts'

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

/** Answers the deletion of all that the selectors pick: the list of what was there. */
export async function collection(call: Call): Promise<Answer> {
  const { kind, target, query } = call
  const options = await optionsOf(call)
  const selection = selectionOf(kind, listOptions(query))
  const objects = await commit(call, rehearsal(call, options), (context) => {
    const scope = { resource: kind.storage, namespace: target.namespace }
    const entries = context.tx.list(kind.namespaced ? scope : { resource: kind.storage })
    return removeAll(
      context,
      entries.filter((entry) => isSelected(kind, selection, entry)),
      options,
    )
  })
  const rendering = { ...renderingOf(call), form: { as: 'object' } as const }
  const items = objects.map((object) => renderObject(rendering, object)).join(',')
  const metadata = { resourceVersion: String(call.storage.revision) }
  const head = JSON.stringify({ kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata })
  return {
    code: 200,
    headers: { 'content-type': 'application/json' },
    body: `${head.slice(0, -1)},"items":[${items}]}`,
  }
}
