import { givenSettings } from '@kedge/shared/doctor/given-settings'
import { supportLine, writeArchive } from '@kedge/shared/support/archive'
import { gather } from '@kedge/shared/support/gather'
import { cloudcoreProgram, defaultData } from '../settings.ts'
import { cloudPieces, cloudSecrets, readObjects } from '../support/pieces.ts'
import type { DoctorAround } from './doctor.ts'

const help = `Usage: cloudcore support [--to FILE] [flags]

Writes an archive for whoever is asked for help: versions, settings, what cloudcore doctor says, the edge nodes, their pods
and devices, who has joined, how the sync stands, metrics, and the end of the log. Passwords, tokens, keys, the values of
Secrets, ConfigMaps, twins, environments and device configurations are not in it, nor are commands and arguments of pods.
It changes nothing.

      --to FILE     The archive (default: cloudcore-support-TIME.tar.gz in this folder); what is there stays
      --log FILE    The log of cloudcore, where it is neither in the journal nor in a file that cloudcore writes itself
      --data PATH   The data folder of cloudcore (default: KEDGE_DATA, else ${defaultData})
  -h, --help        Print this and end

All other flags of cloudcore count as well, over those of the cloudcore that runs.
`

/** `cloudcore support …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function supportCommand(argv: readonly string[], { env, now, self }: DoctorAround): Promise<string> {
  const line = supportLine('cloudcore', argv, now)
  if (line.help) return help
  const found = await givenSettings({ program: cloudcoreProgram, argv: line.rest, env, defaultData })
  const objects = readObjects(found)
  // Whoever needs them says that they could not be read.
  objects.catch(() => {})
  const secrets = await cloudSecrets({ found, objects })
  return writeArchive(line.to, await gather(cloudPieces({ found, objects, log: line.log, self, now }), secrets), now)
}
