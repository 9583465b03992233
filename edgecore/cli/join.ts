import { readFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { type Clock, systemClock } from '@kedge/shared/clock'
import { commandLine } from '@kedge/shared/command-line'
import { explain, UserError } from '@kedge/shared/errors'
import type { EnrolDown, Enrolled } from '@kedge/shared/identity/enrol'
import { type JoinToken, parseToken, shownToken } from '@kedge/shared/identity/token'
import { type Verdict, verifyPinned } from '@kedge/shared/identity/verify'
import { holdPidFile } from '@kedge/shared/pid-file'
import { sleep } from '@kedge/shared/service'
import { ask } from '../identity/ask.ts'
import { csrFor } from '../identity/csr.ts'
import { ServerRefused } from '../identity/dial.ts'
import { diskFiles } from '../identity/files.ts'
import { checkIssued, type Identity, leafOf } from '../identity/identity.ts'
import { judgeServer } from '../identity/judge.ts'
import { findIdentity, forgetRequest, keepIdentity, requestKey } from '../identity/keep.ts'
import { nameOf } from '../identity/settle.ts'
import { defaultData } from '../settings.ts'
import { NodeClock } from '../time/node-clock.ts'

const help = `edgecore join mqtts://HOST:8883 --token TOKEN [flags]

Makes this board a node: it makes a key, which never leaves it, and gets a certificate for it. "cloudcore token create"
prints this command with its token. Afterwards edgecore needs neither --cloud nor --node-name.

  --token TOKEN       the join token; others on this board can see it while the command runs
  --token-file FILE   a file that holds it; - reads it from standard input
  --node-name NAME    name of the node in Kubernetes; the host name, in lower case, unless given
  --data DIR          the data folder of edgecore; KEDGE_DATA, else ${defaultData}
  --force             also when this board is a node already

It may be run again: a board that has joined stays what it is, and an answer that was lost is asked for again.
Exit code 0: this board is a node. 1: cloudcore cannot be reached or is busy. 2: refused, or something to mend.
`

export interface JoinAround {
  env: Readonly<Record<string, string | undefined>>
  /** For people: what is waited for. */
  note: (line: string) => void
  stdin: () => string
  signal: AbortSignal
  /** How long a cloud that is busy, or cannot be reached, is tried again; milliseconds. */
  patience?: number
  random?: () => number
  clock?: Clock
}

/** What `edgecore join` prints. Throws a `UserError` for what a person can mend, an `Error` when the cloud is away. */
export async function join(argv: readonly string[], around: JoinAround): Promise<string> {
  const { values, positionals } = commandLine('edgecore join', argv, {
    token: { type: 'string' },
    'token-file': { type: 'string' },
    'node-name': { type: 'string' },
    data: { type: 'string' },
    force: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  })
  if (values.help) return help
  const [given, ...more] = positionals
  if (given === undefined || more.length > 0) throw new UserError('give one URL, mqtts://HOST:8883; see --help')
  const cloud = cloudOf(given)
  const data = values.data ?? around.env.KEDGE_DATA ?? defaultData
  const nodeName = values['node-name'] ?? around.env.KEDGE_NODE_NAME
  const { identity, faults } = findIdentity(data)
  const { clock = systemClock } = around
  const living = identity !== undefined && leafOf(identity.chain).notAfter > clock.now()
  if (living && !values.force) return alreadyJoined(identity, { cloud, nodeName, data })
  for (const fault of faults) around.note(`passed over: ${fault}`)
  const token = tokenOf({ token: values.token, file: values['token-file'] }, around)
  const node = nameOf({ nodeName: nodeName ?? identity?.node, data }, undefined)
  diskFiles.folder(data)
  // A running edgecore keeps its identity itself.
  const held = holdPidFile(joinPath(data, 'edgecore.pid'), `the data folder ${data}`)
  try {
    return await enrol({ cloud, data, node, token, before: identity }, around)
  } finally {
    held.release()
  }
}

interface Enrolment {
  cloud: string
  data: string
  node: string
  token: JoinToken
  before: Identity | undefined
}

async function enrol({ cloud, data, node, token, before }: Enrolment, around: JoinAround): Promise<string> {
  const key = requestKey(data)
  const question = { is: 'enrol', token: shownToken(token), node, csr: csrFor(key, node) } as const
  const clock = new NodeClock({ system: around.clock ?? systemClock })
  const judge = (presented: Parameters<typeof verifyPinned>[0]['presented'], host: string): Verdict => {
    const verify = (at: number) => verifyPinned({ presented, pin: token.pin, at, use: 'server', host })
    return judgeServer(verify, { clock, floor: 0 }).verdict
  }
  const answer = await patiently(() => ask({ url: cloud, judge, question, signal: around.signal }), around)
  if (answer.is === 'refused') throw new UserError(`cloudcore refuses: ${answer.reason}${adviceOn(answer.code, node)}`)
  const generation = (before?.generation ?? 0) + 1
  const identity = identityFrom(answer, { key, cloud, generation, madeAt: clock.now() })
  if (identity.node !== node) throw new UserError(`the certificate is for ${identity.node} and not for ${node}`)
  keepIdentity(data, identity)
  forgetRequest(data)
  const ends = new Date(leafOf(identity.chain).notAfter).toISOString().slice(0, 10)
  return `this board is the node ${node} now; its certificate, until ${ends}, renews itself\nstart it: edgecore${dataFlag(data)}\n`
}

function identityFrom(
  { node, chain, roots, secret, broker }: Enrolled,
  rest: Pick<Identity, 'key' | 'cloud' | 'generation' | 'madeAt'>,
): Identity {
  checkIssued({ node, key: rest.key, chain, roots })
  return { node, chain, roots, secret, broker, ...rest }
}

/** Asks again while cloudcore is busy or away, as long as the patience lasts. */
async function patiently(tryOnce: () => Promise<EnrolDown>, around: JoinAround): Promise<EnrolDown> {
  const { patience = 120_000, random = Math.random, signal, note } = around
  const until = performance.now() + patience
  for (let attempt = 0; ; attempt++) {
    const outcome = await tryOnce().catch((error: unknown) => {
      if (error instanceof ServerRefused) throw new UserError(serverAdvice(error))
      return error instanceof Error ? error : new Error(String(error))
    })
    const busy = !(outcome instanceof Error) && outcome.is === 'refused' && outcome.code === 'busy'
    if (!(outcome instanceof Error) && !busy) return outcome
    const asked = outcome instanceof Error ? 0 : outcome.is === 'refused' ? (outcome.retryAfter ?? 0) : 0
    // Many boards may join at once: they come back spread.
    const wait = asked + random() * Math.min(10_000, 500 * 2 ** Math.min(attempt, 10))
    const why = outcome instanceof Error ? explain(outcome) : 'cloudcore is busy'
    if (signal.aborted || performance.now() + wait > until) throw new Error(`not joined: ${why}`)
    note(`${why}; trying again in ${Math.ceil(wait / 1000)} s`)
    await sleep(wait, signal)
  }
}

function serverAdvice({ fault, reason, message }: ServerRefused): string {
  if (fault !== 'untrusted') return message
  return `${reason}; use a token of this cloudcore, and its own address: somebody may be in between`
}

/** A scheme is needed, and TLS: the pin of the token is worth nothing without. */
function cloudOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isRight = url?.protocol === 'mqtts:' && url.hostname !== '' && !url.username && !url.password
  if (url === undefined || !isRight) throw new UserError(`found "${text.slice(0, 256)}"; give mqtts://HOST:8883`)
  return `mqtts://${url.host}`
}

function tokenOf(
  { token, file }: { token: string | undefined; file: string | undefined },
  { stdin }: JoinAround,
): JoinToken {
  if ((token === undefined) === (file === undefined)) throw new UserError('give --token or --token-file')
  const parsed = parseToken(token ?? textOf(file ?? '', stdin))
  if (parsed !== undefined) return parsed
  throw new UserError('that is no join token: it is kedge1. and three parts; "cloudcore token create" prints one')
}

function textOf(file: string, stdin: () => string): string {
  try {
    return file === '-' ? stdin() : readFileSync(file, 'utf8')
  } catch (error) {
    throw new UserError(`--token-file: ${explain(error)}`)
  }
}

function alreadyJoined(
  { node, cloud: joined }: Identity,
  { cloud, nodeName, data }: { cloud: string; nodeName: string | undefined; data: string },
): string {
  if (joined === cloud && (nodeName ?? node) === node) {
    return `this board is the node ${node} of ${cloud} already\nstart it: edgecore${dataFlag(data)}\n`
  }
  throw new UserError(`this board is the node ${node} of ${joined} already; --force gives that up`)
}

function dataFlag(data: string): string {
  return data === defaultData ? '' : ` --data ${data}`
}

function adviceOn(code: string, node: string): string {
  const another = '; "cloudcore token create" makes another token'
  const advice: Readonly<Record<string, string>> = {
    'token-unknown': another,
    'token-expired': another,
    'token-revoked': another,
    'token-spent': another,
    'token-other-node': `; the token is not for ${node}: give the name that it is for with --node-name`,
    'too-many': '; wait before the next try',
    'node-locked': `; cloudcore node unlock ${node}`,
    'node-revoked': `; the name ${node} is taken by a node that was revoked: cloudcore node list`,
  }
  return advice[code] ?? ''
}
