import { must } from '@kedge/shared/must'

/** A block of commands of README.md. */
export interface Block {
  /** The headings above it: `A tour / 4. Offline is normal`. */
  place: string
  commands: string
  /** What the README shows of what they bring about; undefined where it shows nothing. */
  shown: string | undefined
}

const known = ['', 'sh', 'yaml', 'json', 'js']

/** The blocks of commands, in order. Throws for a language that nobody would look at. Pure. */
export function blocksOf(readme: string): Block[] {
  const blocks: Block[] = []
  let section = ''
  let place = ''
  let fence: { language: string; lines: string[] } | undefined
  for (const line of readme.split('\n')) {
    const [, tick] = /^```(.*)$/.exec(line) ?? []
    if (fence !== undefined && tick === '') {
      take(blocks, fence, place)
      fence = undefined
    } else if (fence !== undefined) fence.lines.push(line)
    else if (tick !== undefined) {
      if (!known.includes(tick)) throw new Error(`README.md has a block in "${tick}"; commands are in "sh"`)
      fence = { language: tick, lines: [] }
    } else if (line.startsWith('## ')) section = place = line.slice(3)
    else if (line.startsWith('### ')) place = `${section} / ${line.slice(4)}`
  }
  return blocks
}

/** A block without a language shows what comes of the commands before it. */
function take(blocks: Block[], { language, lines }: { language: string; lines: string[] }, place: string): void {
  const text = `${lines.join('\n')}\n`
  if (language === 'sh') blocks.push({ place, commands: text, shown: undefined })
  if (language === '') must(blocks.at(-1), 'commands before what is shown').shown = text
}

/**
 * Whether what was said has each line that is shown: `…` stands for anything, an age for any age, and columns are as wide
 * as they need be. `exactly`: and no other line. Pure.
 */
export function isAsShown(said: string, shown: string, exactly: boolean): boolean {
  const left = linesOf(said)
  for (const line of linesOf(shown)) {
    const pattern = patternOf(line)
    const at = left.findIndex((one) => pattern.test(one))
    if (at < 0) return false
    left.splice(at, 1)
  }
  return !exactly || left.length === 0
}

function linesOf(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().replaceAll(/ +/g, ' '))
}

function patternOf(line: string): RegExp {
  const escaped = line.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const loose = escaped
    .replaceAll('…', '.*')
    .replaceAll(/(?<= )\d+[smhd](?= |$)/g, '\\d+[smhd]')
    // The second time it is there already.
    .replace(/ created$/, ' (created|configured|unchanged)')
  return new RegExp(`^${loose}$`)
}
