import { Socket } from 'node:net'

/**
 * Has a client's connection send small packets at once. By default TCP holds one back until the one before it has been
 * acknowledged, which the other side may put off by 40 ms: an MQTT acknowledgement and the message behind it are such a
 * pair. Call it for each connection.
 */
export function sendAtOnce({ stream }: { stream: unknown }): void {
  if (stream instanceof Socket) stream.setNoDelay(true)
}
