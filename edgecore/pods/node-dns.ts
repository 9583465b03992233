import { readFile } from 'node:fs/promises'
import { type Dns, onlyLoopback, parseResolvConf } from './dns.ts'
import { orUndefined } from './volume-writer.ts'

/** Where systemd-resolved writes whom it asks itself. */
const behindResolved = '/run/systemd/resolve/resolv.conf'

/**
 * What this node asks for names. A pod with a network of its own cannot reach a resolver that listens on the node's
 * loopback: it gets those that systemd-resolved asks, where there are any.
 */
export async function hostDns(hostNetwork: boolean): Promise<Dns> {
  const own = parseResolvConf((await readFile('/etc/resolv.conf', 'utf8').catch(orUndefined)) ?? '')
  if (hostNetwork || !onlyLoopback(own)) return own
  const behind = await readFile(behindResolved, 'utf8').catch(orUndefined)
  return behind === undefined ? own : { ...own, servers: parseResolvConf(behind).servers }
}
