import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What is in files that hold something secret; those that cannot be read hold nothing. */
export function secretsInFiles(paths: readonly (string | undefined)[]): string[] {
  return paths.flatMap((path) => (path === undefined ? [] : [...partsOf(path)]))
}

/** All files of a folder with such an ending. */
export function filesIn(folder: string, ending: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => ending.test(name))
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}

/** Binary keys are looked for in the forms that people write them in; of PEM, what is public stays. */
function* partsOf(path: string): Generator<string> {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch {
    return
  }
  const text = bytes.toString('utf8')
  if (text.includes('-----BEGIN')) {
    yield* keysIn(text)
  } else if (bytes.some((byte) => byte < 9)) {
    yield bytes.toString('hex')
    yield bytes.toString('base64')
  } else {
    if (/^apiVersion:/m.test(text)) return yield* ofKubeconfig(text)
    yield text
    // NAME:PASSWORD
    for (const [, value = ''] of text.matchAll(/[:=]\s*"?([^\s"]+)"?\s*$/gm)) yield value
  }
}

function* ofKubeconfig(text: string): Generator<string> {
  const fields = /(?:token|client-key-data|password|secret|code)"?:\s*"?([^\s"]+)/g
  for (const [, value = ''] of text.matchAll(fields)) {
    yield value
    yield* keysIn(Buffer.from(value, 'base64').toString('utf8'))
  }
}

function* keysIn(text: string): Generator<string> {
  for (const [, key = ''] of text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END/gs)) yield key
}
