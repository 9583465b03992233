import { join } from 'node:path'
import { startApiServer } from '@kedge/cloudcore/apiserver/apiserver'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'

/** An embedded API server alone in its process, as a bench needs it: `node --import tsx api-process.ts DIR`. */
const dir = process.argv[2]
if (dir === undefined) throw new Error('give a folder')
const kubeconfig = join(dir, 'kubeconfig')
const options = { dir, host: '127.0.0.1', port: 0, kubeconfig, clock: systemClock, log: silentLog }
const server = await startApiServer(options)
process.stdout.write(`${server.url}\n`)
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)))
