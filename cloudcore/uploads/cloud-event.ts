import type { UploadReport } from '@kedge/shared/reports'

/** The type of the events that uploads become. */
export const uploadType = 'io.kedge.upload'

/**
 * An upload as a CloudEvent in the binary mode of HTTP (CloudEvents 1.0, HTTP protocol binding 3.1): its attributes are
 * headers, its body is the payload as it was published. Source and id together are unique.
 */
export function cloudEvent(node: string, { id, topic, payload, at }: UploadReport) {
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    'ce-specversion': '1.0',
    'ce-id': id,
    'ce-source': `/nodes/${node}`,
    'ce-type': uploadType,
    'ce-subject': headerValue(topic),
    'ce-time': new Date(at).toISOString(),
  }
  return { headers, body: Buffer.from(payload, 'base64') }
}

/** Percent-encodes what may not stand in a header (HTTP protocol binding 3.1.3.2): all but printable ASCII, and `"` and `%`. */
function headerValue(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]|["%]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}
