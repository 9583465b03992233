import { givenSettings } from '@kedge/shared/doctor/given-settings'
import { supportHelp, supportLine, writeArchive } from '@kedge/shared/support/archive'
import { gather } from '@kedge/shared/support/gather'
import { defaultData, edgecoreProgram } from '../settings.ts'
import { handedInKey } from '../store/secrets-key.ts'
import { edgePieces, edgeSecrets } from '../support/pieces.ts'
import type { DoctorAround } from './doctor.ts'
import { openReader, type Reader } from './reader.ts'

const holds = 'how the node, its pods, devices and outbox stand, metrics, and the end of the log'

/** `edgecore support …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function support(argv: readonly string[], { env, now, self }: DoctorAround): Promise<string> {
  const line = supportLine('edgecore', argv, now)
  if (line.help) return supportHelp({ program: 'edgecore', holds, defaultData })
  const found = await givenSettings({ program: edgecoreProgram, argv: line.rest, env, defaultData })
  let opened: Reader | undefined
  const reader = () => {
    opened ??= openReader(found.data, handedInKey(found.values.secretsKeyFile, found.env))
    return opened
  }
  try {
    const secrets = edgeSecrets({ found, reader })
    return writeArchive(line.to, await gather(edgePieces({ found, reader, log: line.log, self, now }), secrets), now)
  } finally {
    opened?.close()
  }
}
