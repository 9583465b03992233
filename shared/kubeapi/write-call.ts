import type { KubeObject } from '../objects.ts'
import { type Answer, type Call, commit, contentType, renderingOf, text, warningHeaders } from './call.ts'
import { create } from './create.ts'
import { decodeBody, decodePatch, doubledFields } from './negotiate.ts'
import { applyPatch, PatchError } from './patch.ts'
import { type Rendering, renderObject } from './render.ts'
import { type WriteOptions, writeOptions } from './request.ts'
import { asObject } from './schema.ts'
import { StatusError } from './status.ts'
import { checkName, update } from './update.ts'
import type { Written } from './write.ts'

/** Answers a create. Throws a `StatusError`. */
export async function created(call: Call): Promise<Answer> {
  const rendering = renderingOf(call)
  const options = writeOptions(call.query)
  const body = await call.request.body()
  const sent = decodeBody(body, contentType(call))
  const written = await commit(call, checked(call, options, body), (context) => create(context, sent))
  return answerWritten(rendering, written)
}

/** Answers an update or patch, of an object or a part of it. Throws a `StatusError`. */
export async function updated(call: Call): Promise<Answer> {
  const rendering = renderingOf(call)
  const options = writeOptions(call.query)
  const body = await call.request.body()
  const patch = call.verb === 'patch'
  const change = patch ? patching(call, body) : replacing(call, body)
  const { name, subresource } = call.target
  const written = await commit(call, checked(call, options, body), (context) =>
    update(context, { name, subresource, change, patch }),
  )
  return answerWritten(rendering, written)
}

/** The options with what the body says twice, unless nobody wants to know. */
function checked<T extends WriteOptions>(call: Call, options: T, body: Buffer): T & { doubled?: string[] } {
  if (options.fieldValidation === 'Ignore') return options
  return { ...options, doubled: doubledFields(body, contentType(call)) }
}

function replacing(call: Call, body: Buffer): (old: KubeObject) => unknown {
  const sent = decodeBody(body, contentType(call))
  const { name } = asObject(asObject(sent).metadata)
  if (name !== undefined) checkName(name, call.target.name)
  return () => sent
}

function patching(call: Call, body: Buffer): (old: KubeObject) => unknown {
  const { mediaType, patch } = decodePatch(body, contentType(call))
  return (object) => {
    try {
      return applyPatch({ mediaType, patch, object, kind: call.kind })
    } catch (error) {
      if (!(error instanceof PatchError)) throw error
      throw new StatusError({ code: error.code, reason: error.reason, message: error.message })
    }
  }
}

function answerWritten(rendering: Rendering, { code, object, warnings }: Written): Answer {
  return text(code, renderObject(rendering, object), warningHeaders(warnings))
}
