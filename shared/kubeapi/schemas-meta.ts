import type { Schema } from './schema.ts'
import { flag, int64, keyed, list, mapOf, named, open, setOf, text, time } from './words.ts'

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1'

const ownerReference = named(
  `${meta}.OwnerReference`,
  'Names an object that this one belongs to and goes away with.',
  {
    apiVersion: text('Version of the owner.'),
    kind: text('Kind of the owner.'),
    name: text('Name of the owner.'),
    uid: text('UID of the owner.'),
    controller: flag('Whether the owner manages this object.'),
    blockOwnerDeletion: flag('Whether the owner waits for this object when deleted in the foreground.'),
  },
  ['apiVersion', 'kind', 'name', 'uid'],
)

export const objectMeta = named(`${meta}.ObjectMeta`, 'What every object has besides its own fields.', {
  name: text('Unique in the namespace among objects of the kind; cannot be changed.'),
  generateName: text('Prefix from which the server makes a unique name when none is given.'),
  namespace: text('The space in which the name is unique; cannot be changed.'),
  uid: text('Unique in time and space; set by the server.'),
  resourceVersion: text('Changes with every write; give it back to be told of a conflict.'),
  generation: int64('Counts the changes of the desired state.'),
  creationTimestamp: { ...time('When the object was created.'), nullable: true },
  deletionTimestamp: time('When the object will be gone; set while it is being deleted.'),
  deletionGracePeriodSeconds: int64('Seconds that the object has left to stop in order.'),
  labels: mapOf(text(), 'Short keys and values to select objects by.'),
  annotations: mapOf(text(), 'Keys and values that tools keep with the object.'),
  ownerReferences: keyed(['uid'], ownerReference, 'The objects that this one depends on.'),
  finalizers: setOf(text(), 'What must be done before the object can go; who has done it takes its entry away.'),
  managedFields: list(open(), 'Who last wrote which field.'),
  selfLink: text('No longer used.'),
})

export const condition = named(
  `${meta}.Condition`,
  'One aspect of the state of an object.',
  {
    type: text('Which aspect.'),
    status: text('True, False or Unknown.'),
    observedGeneration: int64('Generation of the object that the condition was found for.'),
    lastTransitionTime: time('When status last changed.'),
    reason: text('Why, in one word for programs.'),
    message: text('Why, in a sentence for people.'),
  },
  ['type', 'status', 'lastTransitionTime', 'reason', 'message'],
)

const selectorRequirement = named(
  `${meta}.LabelSelectorRequirement`,
  'A label and what it must be.',
  { key: text('The label.'), operator: text('In, NotIn, Exists or DoesNotExist.'), values: list(text()) },
  ['key', 'operator'],
)

export const labelSelector = named(`${meta}.LabelSelector`, 'Selects objects by their labels; all parts must match.', {
  matchLabels: mapOf(text(), 'Labels with their exact values.'),
  matchExpressions: list(selectorRequirement),
})

/** A whole object: `fields` beside apiVersion, kind and metadata. */
export function topLevel(
  name: string,
  description: string,
  fields: Record<string, Schema>,
  required: string[] = [],
): Schema {
  return named(
    name,
    description,
    {
      apiVersion: text('Version of the schema that this object is written in.'),
      kind: text('Kind of the object.'),
      metadata: objectMeta,
      ...fields,
    },
    required,
  )
}
