import { deflateRawSync, inflateRawSync } from 'node:zlib'
import * as z from 'zod'
import { explain } from './errors.ts'
import { frameDictionary } from './frame-dictionary.ts'
import { Csr, EnrolmentSecret, Pems } from './identity/enrol.ts'
import { isKey, type Key, type KubeObject } from './objects.ts'
import { Report } from './reports.ts'

/**
 * Every message on the cloud link. `docs/PROTOCOL.md` has the conversation; this file is the vocabulary.
 *
 * History of `protocolVersion`:
 * 1: the first.
 * 2 (0.1.0): comparison by buckets, large objects in pieces, `confirm`, `applied` with all that is refused; `renew`,
 *    `renewed`, `identity` and `trust`.
 */
export const protocolVersion = 2
/** The oldest version that this program still speaks. */
export const oldestProtocol = 1

/** Buckets that a set is compared in, at most. */
export const maxBuckets = 4096
/** No packed object is larger than this, and none unpacks to more; in bytes. */
export const maxObjectBytes = 8 * 1024 * 1024
/** No piece of a packed object is larger than this, in bytes. */
export const maxPieceBytes = 64 * 1024

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
/** Numbers the questions of one conversation: an answer to an older one is not mixed up with that to a newer one. */
const Ask = z.int().nonnegative()
const Box = z.string().min(1).max(64)
const Content = z.custom<KubeObject>(
  (value) => typeof value === 'object' && value !== null && 'metadata' in value,
  'not an object with metadata',
)

/** Opens a conversation: "this is what I hold". Sent on connecting and after any doubt. */
const Have = z.object({
  is: z.literal('have'),
  /** The oldest version that the edge speaks; the only one when it does not say `speaks`. */
  protocol: z.int().positive(),
  /** The newest version that the edge speaks. The cloud answers in the newest that both speak. */
  speaks: z.int().positive().optional(),
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
  /** Packed objects that the edge has begun to receive: of each its hash and how many of its first bytes are kept. */
  partial: z
    .array(z.tuple([Hash, z.int().nonnegative()]))
    .max(16)
    .optional(),
  /** Names the authorities that the edge trusts (`trustName`): when the cloud's are others, it sends `identity`. */
  trust: z
    .string()
    .regex(/^[0-9a-f]{8}$/, 'not 8 hexadecimal digits')
    .optional(),
})

/** Digests of what the edge holds, in answer to a `compare` with `buckets`. */
const Buckets = z.object({
  is: z.literal('buckets'),
  talk: Talk,
  ask: Ask,
  /** Of the whole set. */
  digest: Digest,
  /** One 32-bit sum per bucket, big-endian, base64url. */
  sums: z
    .string()
    .regex(/^[\w-]*$/, 'not base64url')
    .max(Math.ceil((maxBuckets * 4 * 4) / 3)),
})

/**
 * All that the edge holds, or what lies in the buckets that `compare` named; part `part` of `of`, counted from 0.
 */
const Inventory = z.object({
  is: z.literal('inventory'),
  talk: Talk,
  /** That of the `compare` which this answers. */
  ask: Ask.optional(),
  /** Of the whole set. */
  digest: Digest.optional(),
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
  /** `refused` names everything of that kind; otherwise only what this change brought. */
  all: z.boolean().optional(),
})

/** Pieces of a packed object are committed: the edge keeps its first `bytes` bytes. */
const Kept = z.object({ is: z.literal('kept'), talk: Talk, pack: Hash, bytes: z.int().nonnegative() })

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

/** Asks for a new certificate over the standing link. The answer is `renewed`. */
const Renew = z.object({ is: z.literal('renew'), csr: Csr, secret: EnrolmentSecret })

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
  /** Objects whose content the edge keeps in pieces already: key, and hash of the packed object. */
  take: z.array(z.tuple([KeyText, Hash])).optional(),
  /** With this change the edge holds all that it should; false while more is on its way. */
  complete: z.boolean(),
})

/**
 * "I don't know what you hold": send your inventory; with `buckets`, the sums of so many buckets; with `only` as well,
 * the inventory of those.
 */
const Compare = z.object({
  is: z.literal('compare'),
  talk: Talk,
  ask: Ask.optional(),
  /** A power of two. */
  buckets: z.int().positive().max(maxBuckets).optional(),
  only: z
    .array(
      z
        .int()
        .nonnegative()
        .max(maxBuckets - 1),
    )
    .max(maxBuckets)
    .optional(),
})

/** The bytes `at` and on of a packed object, to be kept until a change takes it. */
const Piece = z.object({
  is: z.literal('piece'),
  talk: Talk,
  /** Hash of the packed object. */
  pack: Hash,
  /** Bytes of the packed object. */
  size: z.int().positive().max(maxObjectBytes),
  at: z.int().nonnegative(),
  /** base64 */
  data: z.base64().max(Math.ceil(maxPieceBytes / 3) * 4),
})

/** "Say `applied` again, with all that you cannot use": a confirmation may have been lost. */
const Confirm = z.object({ is: z.literal('confirm'), talk: Talk })

const Ref = z.tuple([z.int().positive(), z.int().positive()])

/** What became of reports: accepted by Kubernetes, or refused for good. The rest is still being tried. */
const Answered = z.object({
  is: z.literal('answered'),
  box: Box,
  /** `[seq, version]` */
  accepted: z.array(Ref),
  refused: z.array(z.object({ ref: Ref, reason: z.string() })),
  /** The cloud's time, milliseconds since the epoch: with the first answer to a box, and then rarely. */
  now: z.number().optional(),
})

/**
 * `node`, "report your node again": its Node was lost in Kubernetes, and cloudcore does not remember what it said.
 * `state`, "report all that you know of these": Kubernetes has lost what was said of them.
 * `all`, "begin anew, as on a new link": cloudcore was away behind a broker that was not, or has lost frames of this node.
 */
const Tell = z.object({
  is: z.literal('tell'),
  what: z.enum(['node', 'all', 'state']),
  /** The pods and devices of `state`; all without them. */
  keys: z.array(KeyText).max(1000).optional(),
})

/** The cloud cannot talk with this edge; `reason` says what to do. */
const Sorry = z.object({ is: z.literal('sorry'), talk: z.string().max(64), reason: z.string().max(1024) })

/** A new certificate for the key of `renew`: `chain`, `roots` and `secret`. Or none: `refused` says why. */
const Renewed = z.object({
  is: z.literal('renewed'),
  /** PEM, the node's certificate first. */
  chain: Pems.optional(),
  /** PEM, all that the node must trust. */
  roots: Pems.optional(),
  secret: EnrolmentSecret.optional(),
  /** Why there is none, for people. */
  refused: z.string().max(1024).optional(),
  /** One word of `RefusalCode`; a newer cloud may know more. */
  code: z.string().max(64).optional(),
  /** Milliseconds after which another try may be answered otherwise. */
  retryAfter: z.number().nonnegative().optional(),
})

/** Whom to trust from now on, and when to ask for a new certificate. */
const Identity = z.object({
  is: z.literal('identity'),
  /** PEM, all of them; what was trusted before and is not among them is trusted no more. */
  roots: Pems.optional(),
  /** A window, milliseconds since the epoch: the edge renews at some moment in it, at once when it is over. */
  renew: z.object({ from: z.number(), to: z.number() }).optional(),
})

const upFrames = [Have, Buckets, Inventory, Applied, Kept, Reports, Renew] as const
const downFrames = [Same, Changes, Compare, Piece, Confirm, Answered, Tell, Sorry, Renewed, Identity] as const
export const UpFrame = z.discriminatedUnion('is', upFrames)
export const DownFrame = z.discriminatedUnion('is', downFrames)
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

/** The bytes of a frame: one byte that names the encoding, then JSON, deflated where that is shorter. */
export function encodeFrame(frame: UpFrame | DownFrame): Buffer {
  const json = Buffer.from(JSON.stringify(frame))
  const packed = deflateRawSync(json, { dictionary: frameDictionary })
  return packed.length < json.length
    ? Buffer.concat([Buffer.of(deflated), packed])
    : Buffer.concat([Buffer.of(plain), json])
}

/**
 * `unknown` frames are whole, but of a kind that only a newer program knows: to be counted and left alone, while anything
 * else that cannot be read is malformed.
 */
export type Decoded<F> =
  | { ok: true; frame: F; unknownFields?: readonly string[] }
  | { ok: false; reason: string; unknown?: true }

/** Whether only a newer program knows all of it. */
export function isNewer(decoded: Decoded<unknown>): boolean {
  return decoded.ok ? decoded.unknownFields !== undefined : decoded.unknown === true
}

export function decodeUp(bytes: Uint8Array): Decoded<UpFrame> {
  return decode(bytes, UpFrame)
}

export function decodeDown(bytes: Uint8Array): Decoded<DownFrame> {
  return decode(bytes, DownFrame)
}

/** The fields of every kind of frame. */
const fieldsOf = new Map<string, ReadonlySet<string>>(
  [...upFrames, ...downFrames].map(({ shape }) => [shape.is.value, new Set(Object.keys(shape))]),
)

/** Never throws: what is wrong with the bytes comes back as a reason. */
function decode<F>(bytes: Uint8Array, schema: z.ZodType<F>): Decoded<F> {
  try {
    const given: unknown = JSON.parse(unpack(bytes))
    const parsed = schema.safeParse(given)
    if (!parsed.success) return unknownKind(given) ?? { ok: false, reason: faults(parsed.error) }
    const unknownFields = strangeFields(given)
    return unknownFields.length === 0
      ? { ok: true, frame: parsed.data }
      : { ok: true, frame: parsed.data, unknownFields }
  } catch (error) {
    return { ok: false, reason: explain(error) }
  }
}

function kindOf(given: unknown): string | undefined {
  const kind = typeof given === 'object' && given !== null && 'is' in given ? given.is : undefined
  return typeof kind === 'string' ? kind : undefined
}

function unknownKind(given: unknown): { ok: false; reason: string; unknown: true } | undefined {
  const kind = kindOf(given)
  if (kind === undefined || fieldsOf.has(kind)) return undefined
  return {
    ok: false,
    unknown: true,
    reason: `a frame of the kind "${kind.slice(0, 64)}", which only a newer version knows`,
  }
}

/** Fields of a frame that a newer version has added. */
function strangeFields(given: unknown): string[] {
  const known = fieldsOf.get(kindOf(given) ?? '')
  return Object.keys(given as object).filter((field) => known?.has(field) === false)
}

function unpack(bytes: Uint8Array): string {
  const body = bytes.subarray(1)
  if (bytes[0] === plain) return Buffer.from(body).toString('utf8')
  if (bytes[0] === deflated)
    return inflateRawSync(body, { dictionary: frameDictionary, maxOutputLength: maxFrameBytes }).toString('utf8')
  throw new Error(`unknown encoding ${bytes[0] ?? 'of an empty frame'}`)
}

/** The first few faults of a schema, each with its path. */
function faults(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || 'frame'}: ${issue.message}`)
    .join('; ')
}
