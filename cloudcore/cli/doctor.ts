import { rfc3339 } from '@kedge/shared/clock'
import { lookAll } from '@kedge/shared/doctor/check'
import { checkDatabaseWord, databaseFacts } from '@kedge/shared/doctor/database'
import { doctorLine } from '@kedge/shared/doctor/doctor-line'
import { givenSettings } from '@kedge/shared/doctor/given-settings'
import { type Told, told } from '@kedge/shared/doctor/words'
import type { Env } from '@kedge/shared/settings'
import { version } from '@kedge/shared/version'
import { cloudChecks } from '../doctor/checks.ts'
import { cloudcoreProgram, defaultData } from '../settings.ts'

const help = `Usage: cloudcore doctor [flags]

Looks at what must hold for cloudcore, and says what to do where it does not: settings, Node.js, memory, disk and its
speed, clock, limits, service, ports, database, Kubernetes, the link, and how its nodes are. It changes nothing, and may
run while cloudcore runs or not; root sees most.

  -o, --output FORMAT   table or json (default: table)
      --data PATH       The data folder of cloudcore (default: KEDGE_DATA, else ${defaultData})
  -h, --help            Print this and end

All other flags of cloudcore count as well, over those of the cloudcore that runs. Exit code 0: nothing fails. 1: something
has to be mended. 2: the command line is wrong.
`

export interface DoctorAround {
  env: Env
  /** Milliseconds since the epoch. */
  now: number
  /** Runs this program: `node cloudcore.js`. */
  self: readonly string[]
}

/** `cloudcore doctor …`, `argv` being what follows the word. Throws a UserError for a command line that is not right. */
export async function doctorCommand(argv: readonly string[], { env, now, self }: DoctorAround): Promise<Told> {
  if (argv[0] === checkDatabaseWord) return { out: JSON.stringify(await databaseFacts(argv[1] ?? '')), code: 0 }
  const line = doctorLine(argv)
  if (line.help) return { out: help, code: 0 }
  const found = await givenSettings({ program: cloudcoreProgram, argv: line.rest, env, defaultData })
  const findings = await lookAll(cloudChecks({ found, self, now }))
  return told(findings, { program: 'cloudcore', version, at: rfc3339(now) }, line.output)
}
