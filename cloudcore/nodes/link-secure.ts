import { rfc3339 } from '@kedge/shared/clock'
import type { Condition } from '../kube/conditions.ts'

/**
 * What a Node says of how its link is protected. `secure`: undefined where another broker decides, of which cloudcore
 * knows nothing. `now`: wall time, milliseconds.
 */
export function linkSecure(secure: boolean | undefined, now: number): Condition[] {
  if (secure === undefined) return []
  const common = { type: 'LinkSecure', lastHeartbeatTime: rfc3339(now) }
  if (secure) {
    const message = 'the link is TLS, and the node proves its name with a certificate'
    return [{ ...common, status: 'True', reason: 'MutualTLS', message }]
  }
  const message =
    'the link is plain MQTT (--link-plain or a broker at mqtt://): whoever says that it is this node is believed'
  return [{ ...common, status: 'False', reason: 'PlainMQTT', message }]
}
