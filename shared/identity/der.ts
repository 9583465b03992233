/** A small part of ASN.1's distinguished encoding (X.690), for certificates and requests: read strictly, write plainly. */

/** One element: tag, content, and all of its bytes. */
export interface Element {
  tag: number
  content: Buffer
  whole: Buffer
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** The elements that `bytes` consist of, one after the other. Throws when they are not well formed. */
export function elements(bytes: Buffer): Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const element = elementAt(bytes, at)
    found.push(element)
    at += element.whole.length
  }
  return found
}

/** The only element of `bytes`. Throws when there is none, or more. */
export function onlyElement(bytes: Buffer): Element {
  const [element, ...rest] = elements(bytes)
  if (element === undefined || rest.length > 0) throw new Error('not exactly one DER element')
  return element
}

/** The elements inside of an element with `tag`. Throws when it has another. */
export function inside(element: Element | undefined, tag: number): Element[] {
  return elements(contentOf(element, tag))
}

/** The content of an element with `tag`. Throws when it has another. */
export function contentOf(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw new Error(`DER: tag ${element?.tag ?? 'missing'} where ${tag} should be`)
  return element.content
}

function elementAt(bytes: Buffer, at: number): Element {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new Error('DER: cut off, or a long tag')
  const more = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || more > 3) throw new Error('DER: a length that is not allowed')
  const begin = at + 2 + more
  const length = more === 0 ? first : bytes.subarray(at + 2, begin).reduce((sum, byte) => sum * 256 + byte, 0)
  if (more > 0 && length < (more === 1 ? 0x80 : 256 ** (more - 1))) throw new Error('DER: a length that is too long')
  const end = begin + length
  if (begin > bytes.length || end > bytes.length) throw new Error('DER: cut off')
  return { tag, content: bytes.subarray(begin, end), whole: bytes.subarray(at, end) }
}

/** `2.5.29.19` from the content of an OBJECT IDENTIFIER. */
export function oidText(content: Buffer): string {
  const arcs: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (byte & 0x80) continue
    if (arcs.length === 0)
      arcs.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)))
    else arcs.push(value)
    value = 0
  }
  return arcs.join('.')
}

/** An element with a tag and what it consists of. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content])
  const length = Buffer.from(content.length.toString(16).padStart(content.length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, content])
}

/** An OBJECT IDENTIFIER. */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return element(tags.oid, Buffer.from(bytes))
}

/** Milliseconds since the epoch from a UTCTime or a GeneralizedTime, as certificates have them (RFC 5280, 4.1.2.5). */
export function timeOf({ tag, content }: Element): number {
  const text = content.toString('latin1')
  const short = tag === tags.utcTime && /^\d{12}Z$/.test(text)
  if (!short && !(tag === tags.generalizedTime && /^\d{14}Z$/.test(text))) throw new Error('DER: not a time')
  const full = short ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text
  const iso = full.replace(/^(....)(..)(..)(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const time = Date.parse(iso)
  if (Number.isNaN(time)) throw new Error('DER: not a time')
  return time
}
