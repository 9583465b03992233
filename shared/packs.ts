import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Hash } from './changes.ts'
import { explain } from './errors.ts'
import { frameDictionary } from './frame-dictionary.ts'
import { maxObjectBytes } from './frames.ts'

/** The content of a large object, as it travels in pieces. */
export interface Pack {
  /** 128 bits of SHA-256 over the bytes, base64url. */
  readonly hash: Hash
  /** The canonical JSON of the content, deflated (raw, RFC 1951) with the preset dictionary of the frames. */
  readonly bytes: Buffer
}

export function packText(text: string): Pack {
  const bytes = deflateRawSync(text, { dictionary: frameDictionary })
  return { hash: packHash(bytes), bytes }
}

/** The text of a pack; the reason when the bytes are not those that `hash` names, or no text comes out of them. */
export function unpackText(bytes: Buffer, hash: Hash): { ok: true; text: string } | { ok: false; reason: string } {
  if (packHash(bytes) !== hash) return { ok: false, reason: `these ${bytes.length} bytes are not the pack ${hash}` }
  try {
    const text = inflateRawSync(bytes, { dictionary: frameDictionary, maxOutputLength: maxObjectBytes })
    return { ok: true, text: text.toString('utf8') }
  } catch (error) {
    return { ok: false, reason: explain(error) }
  }
}

function packHash(bytes: Buffer): Hash {
  return createHash('sha256').update(bytes).digest().subarray(0, 16).toString('base64url')
}
