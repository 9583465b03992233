/** One step into a JSON value: a key, a place in a list, or the first element of a list whose `key` is `value`. */
export type Step = string | number | { key: string; value: string }

/**
 * Reads a path such as `ENERGY.Power`, `sensors[0].value`, `params["switch:0"].output`, `[friendly_name=lamp].model`. A
 * `$` or `$.` in front may be left out. Throws an error that says where it is wrong.
 */
export function parsePath(text: string): Step[] {
  const steps: Step[] = []
  let rest = text.replace(/^\$\.?/, '')
  while (rest !== '') {
    const found = /^\.?(?:\["((?:[^"\\]|\\.)*)"\]|\['([^']*)'\]|\[(\d+)\]|\[([^[\]=]+)=([^\]]*)\]|([^.[\]]+))/.exec(
      rest,
    )
    if (found === null) throw new Error(`is ${text}: cannot be read from "${rest}" on; a path is like a.b[0]["c d"].e`)
    const [whole, quoted, single, index, key, value, bare] = found
    if (index !== undefined) steps.push(Number(index))
    else if (key !== undefined) steps.push({ key, value: value ?? '' })
    else steps.push(quoted !== undefined ? (JSON.parse(`"${quoted}"`) as string) : (single ?? bare ?? ''))
    rest = rest.slice(whole.length)
  }
  return steps
}

/** What lies at the end of the steps, or undefined when there is nothing. */
export function lookUp(value: unknown, steps: readonly Step[]): unknown {
  let at = value
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) return undefined
    if (typeof step === 'object') at = Array.isArray(at) ? at.find((each) => holds(each, step)) : undefined
    else at = Object.hasOwn(at, step) ? (at as Record<string | number, unknown>)[step] : undefined
  }
  return at
}

function holds(element: unknown, { key, value }: { key: string; value: string }): boolean {
  if (typeof element !== 'object' || element === null || !Object.hasOwn(element, key)) return false
  return String((element as Record<string, unknown>)[key]) === value
}
