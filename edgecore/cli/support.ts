import { givenSettings } from '@kedge/shared/doctor/given-settings'
import { supportLine, writeArchive } from '@kedge/shared/support/archive'
import { gather } from '@kedge/shared/support/gather'
import { defaultData, edgecoreProgram } from '../settings.ts'
import { handedInKey } from '../store/secrets-key.ts'
import { edgePieces, edgeSecrets } from '../support/pieces.ts'
import type { DoctorAround } from './doctor.ts'
import { openReader, type Reader } from './reader.ts'

const help = `Usage: edgecore support [--to FILE] [flags]

Writes an archive for whoever is asked for help: versions, settings, what edgecore doctor says, how the node, its pods,
devices and outbox stand, metrics, and the end of the log. Passwords, tokens, keys, the values of Secrets, ConfigMaps,
twins, environments and device configurations are not in it, nor are commands and arguments of pods. It changes nothing.

      --to FILE     The archive (default: edgecore-support-TIME.tar.gz in this folder); what is there stays
      --log FILE    The log of edgecore, where it is neither in the journal nor in a file that edgecore writes itself
      --data PATH   The data folder of edgecore (default: KEDGE_DATA, else ${defaultData})
  -h, --help        Print this and end

All other flags of edgecore count as well, over those of the edgecore that runs.
`

/** `edgecore support …`, `argv` being what follows the word. Returns what to say; throws a UserError. */
export async function support(argv: readonly string[], { env, now, self }: DoctorAround): Promise<string> {
  const line = supportLine('edgecore', argv, now)
  if (line.help) return help
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
