import { rfc3339 } from '../clock.ts'
import type { KubeObject } from '../objects.ts'
import { required } from './causes.ts'
import { fromStorage, toStorage } from './convert.ts'
import { establish } from './crd.ts'
import type { ApiKind } from './kinds.ts'
import { asObject } from './schema.ts'
import { alreadyExists, invalid, unreasoned } from './status.ts'
import { admit } from './validate.ts'
import {
  acceptOrThrow,
  checkDefinition,
  checkNamespace,
  type Draft,
  keyOf,
  subjectOf,
  toDraft,
  type WriteContext,
  type Written,
} from './write.ts'

/** Creates an object. Throws a `StatusError`. */
export function create(context: WriteContext, sent: unknown): Written {
  const { tx, kind } = context
  const draft = toDraft(context, sent)
  const { name, generateName } = draft.metadata
  if (!name && !generateName) {
    throw invalid(subjectOf(kind, ''), [required('metadata.name', 'name or generateName is required')])
  }
  checkDefinition(context)
  checkNamespace(context, String(name ?? ''))
  const chosen = name ? String(name) : freeName(context, String(generateName))
  const sentAs = { ...draft, metadata: { ...draft.metadata, name: chosen } }
  const { object, warnings } = acceptOrThrow(
    context,
    admit({ kind, operation: 'create', object: authored(context, sentAs) }),
  )
  if (draft.metadata.resourceVersion) throw unreasoned('resourceVersion should not be set on objects to be created')
  const key = keyOf(context, chosen)
  if (tx.get(key) !== undefined) throw alreadyExists(subjectOf(kind, chosen))
  const entry = tx.put(key, finished(context, toStorage(kind, newborn(context, object))))
  return { code: 201, object: fromStorage(kind, entry.object), warnings }
}

/** A signer trusts what a certificate request says of its author: only the server says it. */
function authored({ kind, user }: WriteContext, draft: Draft): unknown {
  if (kind.kind !== 'CertificateSigningRequest') return draft
  const { extra: _, ...spec } = asObject(draft.spec)
  return { ...draft, spec: { ...spec, username: user.name, uid: user.uid, groups: [...user.groups] } }
}

/** The object with what only the server says of a new one. */
function newborn({ now, uid }: WriteContext, object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, uid: uid(), creationTimestamp: rfc3339(now) } }
}

/** A stored definition says which of its names are accepted. */
export function finished({ kinds, now }: Pick<WriteContext, 'kinds' | 'now'>, stored: KubeObject): KubeObject {
  if (stored.kind !== 'CustomResourceDefinition') return stored
  return establish(
    stored,
    kinds.filter((kind) => !declaredBy(stored, kind)),
    rfc3339(now),
  )
}

function declaredBy(definition: KubeObject, kind: ApiKind): boolean {
  return kind.custom && `${kind.plural}.${kind.group}` === definition.metadata.name
}

/** As Kubernetes: no vowels, nothing that is easily mistaken for another. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5

function freeName(context: WriteContext, prefix: string): string {
  for (let attempt = 0; attempt < 8; attempt++) {
    const name = prefix.slice(0, 63 - suffixLength) + suffix(context.uid())
    if (context.tx.get(keyOf(context, name)) === undefined) return name
  }
  throw alreadyExists(subjectOf(context.kind, `${prefix}…`))
}

/** Five characters drawn from the random digits of a UUID. */
function suffix(uuid: string): string {
  const digits = uuid.replaceAll('-', '')
  let text = ''
  for (let i = 0; i < suffixLength; i++) {
    const draw = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16)
    text += alphabet[draw % alphabet.length]
  }
  return text
}
