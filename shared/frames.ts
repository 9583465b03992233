import { deflateRawSync, inflateRawSync } from 'node:zlib'
import * as z from 'zod'
import { explain } from './errors.ts'
import { isKey, type Key, type KubeObject } from './objects.ts'
import { Report } from './reports.ts'

/**
 * Every message on the cloud link. `docs/PROTOCOL.md` has the conversation; this file is the vocabulary.
 *
 * History of `protocolVersion`:
 * 1 (0.1.0): the first.
 */
export const protocolVersion = 1

const KeyText = z.custom<Key>(
  (value) => typeof value === 'string' && isKey(value),
  'not a key such as pods/default/web',
)
const Hash = z.string().regex(/^[\w-]{22}$/, 'not a 128-bit hash in base64url')
const Digest = Hash
const Revision = z.int().nonnegative()
/**
 * Names one conversation: `<run of edgecore>.<number>`. The edge makes a new one with every `have`; what belongs to an
 * older one is ignored, at both ends.
 */
const Talk = z.string().regex(/^[\w-]{1,32}\.\d{1,9}$/, 'not a talk such as k3f9.12')
const Box = z.string().min(1).max(64)
const Content = z.custom<KubeObject>(
  (value) => typeof value === 'object' && value !== null && 'metadata' in value,
  'not an object with metadata',
)

/** Opens a conversation: "this is what I hold". Sent on connecting and after any doubt. */
const Have = z.object({
  is: z.literal('have'),
  protocol: z.int().positive(),
  talk: Talk,
  /** Empty when the edge holds nothing yet. */
  epoch: z.string().max(64),
  revision: Revision,
  digest: Digest,
  /** Number of objects held. */
  count: z.int().nonnegative(),
  why: z.enum(['connect', 'gap', 'epoch', 'digest', 'malformed', 'silence']),
  /** Version of edgecore, for people. */
  edgecore: z.string().max(64),
})

/** All that the edge holds, in answer to `compare`; part `part` of `of`, counted from 0. */
const Inventory = z.object({
  is: z.literal('inventory'),
  talk: Talk,
  part: z.int().nonnegative(),
  of: z.int().positive().max(4096),
  items: z.array(z.tuple([KeyText, Hash])),
})

/** A change is committed: the edge now holds `revision`. */
const Applied = z.object({
  is: z.literal('applied'),
  talk: Talk,
  epoch: z.string().max(64),
  revision: Revision,
  digest: Digest,
  /** Objects that are held but that this edge cannot use, and why. */
  refused: z.array(z.object({ key: KeyText, reason: z.string() })).optional(),
})

/** Rows of the outbox; each comes back in `answered`. */
const Reports = z.object({
  is: z.literal('reports'),
  /** Names the outbox that the sequence numbers belong to: a new database is a new box. */
  box: Box,
  items: z.array(
    z.object({
      seq: z.int().positive(),
      /** Counts the folds into this row: an answer to an older version leaves the row in place. */
      version: z.int().positive(),
      report: z.unknown(),
    }),
  ),
})

/** "You hold what you should": the edge adopts epoch and revision. */
const Same = z.object({
  is: z.literal('same'),
  talk: Talk,
  epoch: z.string().min(1).max(64),
  revision: Revision,
  digest: Digest,
})

/** From one revision to the next. Applied in one transaction, if and only if the edge holds exactly `base`. */
const Changes = z.object({
  is: z.literal('changes'),
  talk: Talk,
  epoch: z.string().min(1).max(64),
  from: Revision,
  to: Revision,
  /** Digest of the set that the change applies to. */
  base: Digest,
  /** Digest of the set that it results in. */
  digest: Digest,
  put: z.array(z.tuple([KeyText, Content])),
  drop: z.array(KeyText),
  /** With this change the edge holds all that it should; false while more is on its way. */
  complete: z.boolean(),
})

/** "I don't know what you hold: send your inventory." */
const Compare = z.object({ is: z.literal('compare'), talk: Talk })

const Ref = z.tuple([z.int().positive(), z.int().positive()])

/** What became of reports: accepted by Kubernetes, or refused for good. The rest is still being tried. */
const Answered = z.object({
  is: z.literal('answered'),
  box: Box,
  /** `[seq, version]` */
  accepted: z.array(Ref),
  refused: z.array(z.object({ ref: Ref, reason: z.string() })),
})

/**
 * `node`, "report your node again": its Node was lost in Kubernetes, and cloudcore does not remember what it said.
 * `all`, "begin anew, as on a new link": cloudcore was away behind a broker that was not, or has lost frames of this node.
 */
const Tell = z.object({ is: z.literal('tell'), what: z.enum(['node', 'all']) })

/** The cloud cannot talk with this edge; `reason` says what to do. */
const Sorry = z.object({ is: z.literal('sorry'), talk: z.string().max(64), reason: z.string().max(1024) })

export const UpFrame = z.discriminatedUnion('is', [Have, Inventory, Applied, Reports])
export const DownFrame = z.discriminatedUnion('is', [Same, Changes, Compare, Answered, Tell, Sorry])
export type UpFrame = z.infer<typeof UpFrame>
export type DownFrame = z.infer<typeof DownFrame>
export type Frame<Is extends (UpFrame | DownFrame)['is']> = Extract<UpFrame | DownFrame, { is: Is }>

export function talkName(run: string, number: number): string {
  return `${run}.${number}`
}

/** Whether `talk` comes before `other` in the same run of edgecore. */
export function isOlderTalk(talk: string, other: string): boolean {
  const [run, number] = talk.split('.')
  const [otherRun, otherNumber] = other.split('.')
  return run === otherRun && Number(number) < Number(otherNumber)
}

/** Reads the content of one report; separate from the frame so that one bad report does not cost its neighbours. */
export function parseReport(value: unknown): { ok: true; report: Report } | { ok: false; reason: string } {
  const parsed = Report.safeParse(value)
  return parsed.success ? { ok: true, report: parsed.data } : { ok: false, reason: faults(parsed.error) }
}

/** No frame is larger than this, compressed or not, in bytes. */
export const maxFrameBytes = 8 * 1024 * 1024

const plain = 0x01
const deflated = 0x02

/**
 * Words that frames are made of, shared by both sides, so that a short frame compresses too. Part of the protocol:
 * changing it is a new encoding byte.
 */
const dictionary = Buffer.from(
  [
    '"status":{"conditions":[{"type":"Ready","status":"True","reason":"","message":"","lastTransitionTime":"2026-',
    '"observedDesired":{"value":"","metadata":{"timestamp":"","type":"string"}},"reported":{"value":"',
    '{"apiVersion":"devices.kubeedge.io/v1beta1","kind":"DeviceModel","metadata":{"generation":1,"name":"',
    '"spec":{"properties":[{"name":"","description":"","type":"FLOAT","accessMode":"ReadWrite","minimum":"","maximum":"","unit":"',
    '{"apiVersion":"devices.kubeedge.io/v1beta1","kind":"Device","metadata":{"generation":1,"labels":{"',
    '"spec":{"deviceModelRef":{"name":""},"nodeName":"","properties":[{"desired":{"value":""},"name":"","reportToCloud":true,',
    '"visitors":{"protocolName":"","configData":{"protocol":{"protocolName":"virtual"}',
    '{"apiVersion":"v1","data":{"","kind":"ConfigMap","metadata":{"name":"","namespace":"default","uid":"',
    '{"apiVersion":"v1","data":{"","kind":"Secret","metadata":{"name":"","namespace":"default","uid":"","type":"Opaque"',
    '{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{},"deletionGracePeriodSeconds":30,"deletionTimestamp":"',
    '"spec":{"containers":[{"image":"","imagePullPolicy":"IfNotPresent","name":"","resources":{},"terminationMessagePath":',
    '"/dev/termination-log","terminationMessagePolicy":"File","volumeMounts":[{"mountPath":"","name":""}]}],',
    '"dnsPolicy":"ClusterFirst","enableServiceLinks":true,"nodeName":"","restartPolicy":"Always","schedulerName":"default-scheduler",',
    '"securityContext":{},"serviceAccountName":"default","terminationGracePeriodSeconds":30,"volumes":[{"configMap":{"defaultMode":420,"name":"',
    '{"is":"answered","box":"","accepted":[[1,1]],"refused":[]}',
    '{"is":"reports","box":"","items":[{"seq":1,"version":1,"report":{"is":"event","is":"pod","is":"node","is":"device",',
    '"namespace":"default","name":"","uid":"","twins":{"":{"type":"string","desired":{"value":"","at":17},"reported":{"value":"","at":17',
    '{"is":"applied","talk":"","epoch":"","revision":1,"digest":"',
    '{"is":"compare","talk":"","is":"inventory","talk":"","part":0,"of":1,"items":[["pods/default/","configmaps/default/","secrets/default/",',
    '"devices/default/","devicemodels/default/',
    '{"is":"changes","talk":"","epoch":"","from":1,"to":2,"base":"","digest":"","put":[["","drop":[],"complete":true}',
    '{"is":"same","talk":"","epoch":"","revision":1,"digest":"',
    '{"is":"have","protocol":1,"talk":"","epoch":"","revision":1,"digest":"","count":1,"why":"connect","edgecore":"0.1.0"}',
  ].join(''),
)

/** The bytes of a frame: one byte that names the encoding, then JSON, deflated where that is shorter. */
export function encodeFrame(frame: UpFrame | DownFrame): Buffer {
  const json = Buffer.from(JSON.stringify(frame))
  const packed = deflateRawSync(json, { dictionary })
  return packed.length < json.length
    ? Buffer.concat([Buffer.of(deflated), packed])
    : Buffer.concat([Buffer.of(plain), json])
}

export type Decoded<F> = { ok: true; frame: F } | { ok: false; reason: string }

export function decodeUp(bytes: Uint8Array): Decoded<UpFrame> {
  return decode(bytes, UpFrame)
}

export function decodeDown(bytes: Uint8Array): Decoded<DownFrame> {
  return decode(bytes, DownFrame)
}

/** Never throws: what is wrong with the bytes comes back as a reason. */
function decode<F>(bytes: Uint8Array, schema: z.ZodType<F>): Decoded<F> {
  try {
    const parsed = schema.safeParse(JSON.parse(unpack(bytes)))
    return parsed.success ? { ok: true, frame: parsed.data } : { ok: false, reason: faults(parsed.error) }
  } catch (error) {
    return { ok: false, reason: explain(error) }
  }
}

function unpack(bytes: Uint8Array): string {
  const body = bytes.subarray(1)
  if (bytes[0] === plain) return Buffer.from(body).toString('utf8')
  if (bytes[0] === deflated)
    return inflateRawSync(body, { dictionary, maxOutputLength: maxFrameBytes }).toString('utf8')
  throw new Error(`unknown encoding ${bytes[0] ?? 'of an empty frame'}`)
}

/** The first few faults of a schema, each with its path. */
function faults(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || 'frame'}: ${issue.message}`)
    .join('; ')
}
