/** What of a node's doings proves that two places are alive with its identity. */
export interface Proof {
  reason: string
}

interface Seen {
  /** Connection at which it was seen for the first time since the one before it. */
  connection: number
}

/** What is remembered of one node. */
export interface NodeTraces {
  /** The run of edgecore that spoke last. */
  run: string | undefined
  /** Runs that another one has followed, newest last, with the connection at which that other was first seen. */
  superseded: readonly (Seen & { run: string })[]
  /** How often a run came back after another one, since a run was heard for the first time. */
  returns: number
  /** Certificates in the order in which they were first used. */
  serials: readonly string[]
  /** Newer certificates than the one that came back after they had been used: none of them should come again. */
  left: readonly string[]
}

export const noTraces: NodeTraces = { run: undefined, superseded: [], returns: 0, serials: [], left: [] }

/** Runs and certificates of one node that are remembered. */
const most = 8

export interface Traced {
  traces: NodeTraces
  proof?: Proof
  /** Worth telling people, and no proof. */
  suspicion?: string
}

/**
 * A run of edgecore speaks over the node's connection number `connection`. One process is one run, and a new one begins
 * when the one before has ended: a run that comes back, on a connection made after another run had been heard, lives
 * beside that other one.
 */
export function runSpeaks(traces: NodeTraces, run: string, connection: number): Traced {
  if (run === traces.run) return { traces }
  const before = traces.superseded.find((one) => one.run === run)
  if (before !== undefined) {
    // Frames of the old connection may be late; a connection that is newer is no such frame.
    if (connection <= before.connection) return { traces }
    const reason = `edgecore run ${run} came back after run ${traces.run}: the same identity is in use in two places`
    return { traces: { ...traces, superseded: without(traces, run) }, proof: { reason } }
  }
  const superseded = traces.run === undefined ? [] : [{ run: traces.run, connection }]
  return { traces: { ...traces, run, superseded: [...traces.superseded, ...superseded].slice(-most) } }
}

/** What an unseen connection may have held back: one late word makes a run that is over come back, and the present one. */
const lateReturns = 2

/**
 * The same where another broker keeps the connections, which hands on what each of them said in an order of its own: two
 * that take turns are two places, and one late word is none.
 */
export function runTakesTurn(traces: NodeTraces, run: string): Traced {
  if (run === traces.run) return { traces }
  const isNew = traces.superseded.every((one) => one.run !== run)
  const returns = isNew ? 0 : traces.returns + 1
  const last = traces.run === undefined ? [] : [{ run: traces.run, connection: 0 }]
  const superseded = [...without(traces, run), ...last].slice(-most)
  const next = { ...traces, run, superseded, returns }
  if (returns <= lateReturns) return { traces: next }
  const reason = `edgecore runs ${run} and ${traces.run} take turns: the same identity is in use in two places`
  return { traces: { ...next, returns: 0 }, proof: { reason } }
}

function without({ superseded }: NodeTraces, run: string): NodeTraces['superseded'] {
  return superseded.filter((one) => one.run !== run)
}

/**
 * A certificate is used for a new connection. Whoever has got a newer one uses that: an older one is a copy, or a board
 * that has fallen back on the generation before. When then the newer one comes back, both are alive.
 */
export function serialUsed(traces: NodeTraces, serial: string): Traced {
  if (traces.left.includes(serial)) {
    const reason = `certificate ${serial} came back after an older one: the same identity is in use in two places`
    return { traces: { ...traces, left: [] }, proof: { reason } }
  }
  const at = traces.serials.indexOf(serial)
  if (at === -1) return { traces: { ...traces, serials: [...traces.serials, serial].slice(-most) } }
  const newer = traces.serials.slice(at + 1).filter((other) => !traces.left.includes(other))
  if (newer.length === 0) return { traces }
  const suspicion = `the older certificate ${serial} is in use again: the identity of the node was copied, or put back from a backup`
  return { traces: { ...traces, left: [...traces.left, ...newer].slice(-most) }, suspicion }
}
