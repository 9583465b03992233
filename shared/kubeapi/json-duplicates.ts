/** So many are told; a body can hold many more. */
const enough = 32

/** One object or list that is open while the text is read. */
interface Level {
  /** The keys seen so far; undefined for a list. */
  keys: Set<string> | undefined
  /** The key, or the index, that is being read. */
  at: string | number
}

/**
 * The fields that a JSON text names more than once in one object, as `spec.containers[0].image`; the last one counts.
 * `text` must be valid JSON. No recursion: it may nest as deep as it likes.
 */
export function duplicateFields(text: string): string[] {
  const found: string[] = []
  const levels: Level[] = []
  let isKey = false
  for (let at = 0; at < text.length && found.length < enough; at++) {
    const top = levels.at(-1)
    switch (text[at]) {
      case '{':
      case '[':
        isKey = text[at] === '{'
        levels.push(isKey ? { keys: new Set(), at: '' } : { keys: undefined, at: 0 })
        break
      case '}':
      case ']':
        isKey = false
        levels.pop()
        break
      case ',':
        isKey = top?.keys !== undefined
        if (typeof top?.at === 'number') top.at++
        break
      case '"': {
        const end = endOfString(text, at)
        if (isKey && top?.keys !== undefined) {
          top.at = keyOf(text.slice(at, end + 1))
          if (top.keys.has(top.at)) found.push(pathOf(levels))
          top.keys.add(top.at)
        }
        isKey = false
        at = end
      }
    }
  }
  return [...new Set(found)]
}

function keyOf(literal: string): string {
  return literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1)
}

/** The place of the quote that ends the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text[end - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

function pathOf(levels: readonly Level[]): string {
  return levels.map(({ at }, index) => (typeof at === 'number' ? `[${at}]` : index === 0 ? at : `.${at}`)).join('')
}
