import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { explain, UserError } from '@kedge/shared/errors'
import { startVitest } from 'vitest/node'
import { programmes, type SoakPlan } from './plan.ts'

const help = `Usage: npm run soak -- [--minutes N] [--kills N] [--seed N] [--only ${programmes.join('|')}]
  --minutes N   how long schedules of faults go on (10)
  --kills N     and so many kill -9 of edgecore after them (1000)
  --seed N      what is drawn; a run that fails names the seed that repeats it
`

/** Runs the soak under Vitest, which cleans up after each run, in an order that the seed decides. */
async function main(argv: string[]): Promise<void> {
  const plan = planOf(argv)
  process.stdout.write(`soak: seed ${plan.seed}, ${plan.minutes} minutes of schedules, ${plan.kills} kills\n`)
  const root = join(import.meta.dirname, '../..')
  const config = join(import.meta.dirname, 'vitest.config.ts')
  process.env.KEDGE_SOAK = JSON.stringify(plan)
  const vitest = await startVitest('test', plan.only ? [`${plan.only}.soak.ts`] : [], { root, config, watch: false })
  await vitest.close()
}

function planOf(argv: string[]): SoakPlan {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args: argv, options: { minutes: text, kills: text, seed: text, only: text } })
  const { only } = values
  const known = programmes.find((programme) => programme === only)
  if (only !== undefined && known === undefined) {
    throw new UserError(`no programme "${only}"; there are: ${programmes.join(', ')}\n${help}`)
  }
  return {
    minutes: numberOf('--minutes', values.minutes ?? '10'),
    kills: numberOf('--kills', values.kills ?? '1000'),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : numberOf('--seed', values.seed),
    ...(known && { only: known }),
  }
}

function numberOf(flag: string, text: string): number {
  const value = Number(text)
  if (text === '' || !Number.isFinite(value) || value < 0) throw new UserError(`${flag} ${text}: a number is needed`)
  return value
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`soak: ${explain(error)}\n`)
  process.exitCode = 2
})
