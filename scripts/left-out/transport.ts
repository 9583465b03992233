/** Takes the place of pino's transports, which run in threads. Throws when one is asked for. */
export default function transport(): never {
  throw new Error('transports of pino are not part of this bundle: lines go to standard output')
}
