import { givenSettings } from '@kedge/shared/doctor/given-settings'
import { supportHelp, supportLine, writeArchive } from '@kedge/shared/support/archive'
import { gather } from '@kedge/shared/support/gather'
import { cloudcoreProgram, defaultData } from '../settings.ts'
import { cloudPieces, cloudSecrets, readObjects } from '../support/pieces.ts'
import type { DoctorAround } from './doctor.ts'

const holds =
  'the edge nodes, their pods and devices, who has joined, how the sync stands, metrics, and the end of the log'

/** `cloudcore support …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function supportCommand(argv: readonly string[], { env, now, self }: DoctorAround): Promise<string> {
  const line = supportLine('cloudcore', argv, now)
  if (line.help) return supportHelp({ program: 'cloudcore', holds, defaultData })
  const found = await givenSettings({ program: cloudcoreProgram, argv: line.rest, env, defaultData })
  const objects = readObjects(found)
  // Whoever needs them says that they could not be read.
  objects.catch(() => {})
  const secrets = await cloudSecrets({ found, objects })
  return writeArchive(line.to, await gather(cloudPieces({ found, objects, log: line.log, self, now }), secrets), now)
}
