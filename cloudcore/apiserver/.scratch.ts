import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { startApiServer } from './apiserver.ts'

const s = await startApiServer({
  dir: '/tmp/ks',
  host: '127.0.0.1',
  port: 0,
  kubeconfig: '/tmp/ks/kubeconfig',
  clock: systemClock,
  log: silentLog,
})
console.log(s.url)
setTimeout(() => process.exit(0), 1800_000)
