import { explain, UserError } from '@kedge/shared/errors'
import { build } from './build.ts'
import { runFleet } from './fleet/run.ts'

runFleet({ argv: process.argv.slice(2), build }).catch((error: unknown) => {
  process.stderr.write(`npm start: ${explain(error)}\n`)
  process.exitCode = error instanceof UserError ? 2 : 1
})
