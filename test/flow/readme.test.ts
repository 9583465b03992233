import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { explain } from '@kedge/shared/errors'
import { expect, test } from 'vitest'
import { root } from '../../scripts/build.ts'
import { eventually } from '../support/eventually.ts'
import { findKubectl } from '../support/kubectl.ts'
import { hasMosquittoClients } from '../support/mosquitto-clients.ts'
import { type Block, blocksOf, isAsShown } from '../support/readme/blocks.ts'
import { startReadmeFleet } from '../support/readme/fleet.ts'
import { Shell } from '../support/readme/shell.ts'

/**
 * README.md, followed to the letter: every block of commands is run by a shell in the folder of the repository, in order,
 * and what comes of it is what the README shows. A block that cannot be run here is in `elsewhere`, with the reason.
 */

/** Blocks that are not run here: how one is known, and why. */
const elsewhere: readonly (readonly [RegExp, string])[] = [
  [/^npm ci && npm start$/, 'npm ci takes away what this test runs on; test/flow/npm-start.test.ts runs npm start'],
  [/^npm ci && npm test$/, 'this is npm test'],
  [/^(edgecore|cloudcore) support /, 'test/flow/doctor.test.ts runs it, and looks into the archives'],
  [/^docker compose /, 'needs a Docker engine: npm run test:compose (test/real/compose)'],
  [
    /^(kedge-\S+\/setup\.sh|tar -xzf kedge-|kedge-setup|systemctl) /,
    'needs a board, root and systemd: npm run test:package (test/real/package)',
  ],
]

function whyElsewhere({ commands }: Block): string | undefined {
  return elsewhere.find(([shape]) => commands.split('\n').some((line) => shape.test(line)))?.[1]
}

const blocks = blocksOf(readFileSync(join(root, 'README.md'), 'utf8'))

test('README: what is said to be run elsewhere is in it', () => {
  for (const [shape, why] of elsewhere) {
    expect(
      blocks.some(({ commands }) => commands.split('\n').some((line) => shape.test(line))),
      why,
    ).toBe(true)
  }
})

/** What is shown comes about a moment after the commands before it; topics are what the terminal beside it hears. */
const patience = { within: 60_000, every: 100 }

async function runBlock(shell: Shell, { place, commands, shown }: Block): Promise<void> {
  const about = `${place}\n${commands}`
  if (shown === undefined) {
    const failed = await shell.run(commands).catch((error: unknown) => explain(error))
    return expect(failed, about).not.toMatch(/^exit code/)
  }
  if (shown.startsWith('$hw/')) {
    await shell.run(commands)
    const isHeard = eventually(() => isAsShown(shell.heard, shown, false), patience)
    await isHeard.catch(() => expect(shell.heard, about).toBe(shown))
    return
  }
  const exactly = place.startsWith('Register a device')
  let said = ''
  await eventually(async () => {
    said = await shell.run(commands).catch((error: unknown) => explain(error))
    return isAsShown(said, shown, exactly)
  }, patience).catch(() => expect(said, about).toBe(shown))
}

/** What a person puts in: the command that was printed, in place of the one that is shown. */
function joinCommand({ commands }: Block, printed: string): string {
  const shape = commands.trim().replace('HOST:8883', '127.0.0.1:PORT').replaceAll('.', '\\.').replace('PORT', '\\d+')
  expect(printed.trim().split('\n').at(-1)).toMatch(new RegExp(`^${shape.replace('…', '\\S+')}$`))
  return printed.trim().split('\n').at(-1) ?? ''
}

const hasAll = hasMosquittoClients() && findKubectl() !== undefined
test.skipIf(!hasAll)(
  `README: every command${hasAll ? '' : ' (skipped: no kubectl or no mosquitto clients)'}`,
  async () => {
    const fleet = await startReadmeFleet()
    const shell = new Shell(fleet)
    // As `npm start` does.
    await shell.run('kubectl apply -f deploy/examples/thermostat.yaml')
    let printed = ''
    for (const block of blocks.filter((one) => whyElsewhere(one) === undefined)) {
      const { commands } = block
      fleet.tell()
      if (commands.startsWith('mosquitto_sub ')) shell.listen(commands)
      else if (commands.startsWith('cloudcore token create')) printed = await shell.run(commands)
      else if (commands.startsWith('edgecore join ')) await shell.run(joinCommand(block, printed))
      else {
        if (commands.includes('cloudcore.js restore')) await fleet.stopCloud()
        await runBlock(shell, block)
      }
    }
  },
  300_000,
)
