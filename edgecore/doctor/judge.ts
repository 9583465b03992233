import { rfc3339 } from '@kedge/shared/clock'
import { fail, ok, skip, type Verdict, warn } from '@kedge/shared/doctor/check'
import type { Fault } from '@kedge/shared/identity/verify'
import type { Standing } from '../control/server.ts'
import { certificateCondition } from '../identity/condition.ts'
import type { LastRefusal } from '../identity/last-refusal.ts'
import type { Term } from '../identity/renewal.ts'
import type { Health } from '../pods/runtime.ts'

/** Judgements on what an edge node has. Pure. */

export interface CertificateFacts {
  /** Undefined for a board that has not joined. */
  identity: { node: string; term: Term; path: string; mode: number } | undefined
  /** What is wrong with other files of it. */
  faults: readonly string[]
  refusal: LastRefusal | undefined
  /** Where its cloud is: undefined for a node alone, without TLS where the link is plain. */
  cloud: string | undefined
  /** Milliseconds since the epoch. */
  now: number
}

const join = 'cloudcore token create prints the command that joins this board'

/** Whether the node has a certificate that is good, whose key nobody else may read. */
export function judgeCertificate({ identity, faults, refusal, cloud, now }: CertificateFacts): Verdict[] {
  const passed = faults.map((fault) => warn(`passed over: ${fault}`, 'it is replaced with the next renewal'))
  if (identity === undefined) {
    if (faults.length > 0) return [fail(`no identity holds together: ${faults.join('; ')}`, join)]
    if (cloud?.startsWith('mqtt:')) {
      return [warn('the link is plain, and this board has no certificate', `${join}, and makes it TLS`)]
    }
    return [
      cloud === undefined ? warn('this board has not joined a cloud', join) : fail('this board has not joined', join),
    ]
  }
  const { node, term, path, mode } = identity
  const open = (mode & 0o077) !== 0
  const rights = open ? [fail(`${path} can be read by others (mode ${mode.toString(8)})`, `chmod 600 ${path}`)] : []
  const { status, reason, message } = certificateCondition({ term, now, held: refusal })
  if (term.from > now) {
    const todo = 'set the clock of this board: timedatectl set-ntp true'
    return [
      warn(`the certificate of ${node} begins at ${rfc3339(term.from)}, later than it is here`, todo),
      ...rights,
      ...passed,
    ]
  }
  const said = `${node}: ${message}`
  if (status !== 'True') {
    return [
      fail(said, reason === 'Expired' ? 'let it reach its cloud, see the check of the link' : join),
      ...rights,
      ...passed,
    ]
  }
  return [reason === 'RenewalOverdue' ? warn(said, 'see the check of the link') : ok(said), ...rights, ...passed]
}

export interface LinkFacts {
  /** Undefined for a node that runs alone. */
  url: string | undefined
  /** What edgecore says of its own link, if it runs. */
  standing: Standing['link'] | undefined
  /** What a connection that says no name found out; undefined where none was tried. */
  probe: Probe | undefined
}

/** How far a connection came that was opened to look, and never says who it is. */
export type Probe =
  | { is: 'reached'; ms: number; verified: boolean }
  | { is: 'unresolved' | 'unreached'; reason: string }
  | { is: 'refused'; fault: Fault; reason: string }

/** Whether the cloud is in reach, is the right one, and has heard this node. */
export function judgeLink({ url, standing, probe }: LinkFacts): Verdict {
  if (url === undefined) return skip('this node runs without a cloud')
  if (standing?.inSync) return ok(`up, and in sync with ${url}`)
  const host = hostIn(url)
  if (standing?.up)
    return warn(`up to ${url}, and not in sync yet`, 'wait a minute; then see the logs of edgecore and cloudcore')
  const down = standing === undefined ? '' : 'the link is down: '
  switch (probe?.is) {
    case undefined:
      return skip(`${down}${url} was not tried`, 'see the check of the certificate')
    case 'unresolved':
      return fail(
        `${down}nobody knows ${host}: ${probe.reason}`,
        `see /etc/resolv.conf, and whether the name is right: getent hosts ${host}`,
      )
    case 'unreached':
      return fail(
        `${down}${url} cannot be reached: ${probe.reason}`,
        'see whether cloudcore runs, and whether a firewall is in between',
      )
    case 'refused':
      return fail(`${down}${probe.reason}`, adviceOn[probe.fault])
    case 'reached': {
      const found = `${url} answers in ${probe.ms.toFixed(0)} ms${probe.verified ? ' and is the right one' : ', without TLS'}`
      return standing === undefined
        ? ok(found)
        : warn(`${down}${found}`, 'see "link down" in the log of edgecore for the reason')
    }
  }
}

const adviceOn: Readonly<Record<Fault, string>> = {
  untrusted: `this is not the cloudcore that this board joined; if it is the right one by now: ${join} (--force)`,
  expired: 'renew the certificate of cloudcore, or set the clock of this board',
  'not-yet-valid': 'set the clock of this board',
  'wrong-host': 'add the name to --link-names of cloudcore',
  'wrong-use': 'give cloudcore a certificate for TLS servers',
  unfit: 'give cloudcore another certificate',
}

function hostIn(url: string): string {
  return new URL(url).hostname
}

export interface RuntimeFacts {
  runtime: string
  endpoint: string | undefined
  name?: string | undefined
  version?: string | undefined
  health?: Health | undefined
  /** Why nothing is known of it. */
  fault?: string | undefined
}

/** Whether the container engine works, and its network. */
export function judgeRuntime({ runtime, endpoint, name, version, health, fault }: RuntimeFacts): Verdict[] {
  if (runtime === 'simulated') return [ok('simulated: pods are reported as running, and nothing is started')]
  if (fault !== undefined) {
    const denied = /EACCES|EPERM|permission denied/i.test(fault)
    if (denied) return [skip(`${endpoint} may not be opened by this user`, 'run this as root')]
    return [
      fail(fault, 'apt-get install containerd, systemctl enable --now containerd; without pods: --runtime simulated'),
    ]
  }
  const engine = `${name} ${version} at ${endpoint}`
  const of = (verdict: Health['runtime'] | undefined) => (verdict?.ok === false ? verdict.message : undefined)
  const broken = of(health?.runtime)
  if (broken !== undefined) return [fail(`${engine} does not run: ${broken}`, 'see its log: journalctl -u containerd')]
  const network = of(health?.network)
  if (network === undefined) return [ok(engine)]
  const todo =
    'install containernetworking-plugins and put a configuration into /etc/cni/net.d; pods of the host network run without'
  return [ok(engine), warn(`pods have no network: ${network}`, todo)]
}

export interface KernelFacts {
  /** Of cgroup v2, or what v1 has turned on. */
  controllers: readonly string[]
  forwards: boolean
  overlay: boolean
}

/** Whether the kernel has what containers need. */
export function judgeKernel({ controllers, forwards, overlay }: KernelFacts): Verdict[] {
  const missing = ['cpu', 'memory', 'pids'].filter((name) => !controllers.includes(name))
  const verdicts: Verdict[] = []
  if (missing.includes('memory')) {
    const todo =
      'add cgroup_enable=memory to /boot/firmware/cmdline.txt, on the same line, and reboot; without it memory limits of pods mean nothing'
    verdicts.push(fail('the kernel has no cgroup for memory', todo))
  } else if (missing.length > 0) {
    verdicts.push(warn(`the kernel has no cgroup for ${missing.join(', ')}`, 'limits of pods on these mean nothing'))
  }
  if (!forwards)
    verdicts.push(warn('the kernel forwards nothing between pods and the network', 'sysctl -w net.ipv4.ip_forward=1'))
  if (!overlay)
    verdicts.push(
      warn('the kernel has no overlay file system loaded', 'modprobe overlay; without it images take much more room'),
    )
  return verdicts.length > 0 ? verdicts : [ok('cgroups, forwarding and the overlay file system are there')]
}

export interface RunFacts {
  pid: number | undefined
  /** What it answers; undefined with the reason why there is no answer. */
  standing: Standing | undefined
  silence: string | undefined
  /** Of this program. */
  version: string
}

/** Whether edgecore runs, answers, and is of the version that is asked. */
export function judgeRun({ pid, standing, silence, version }: RunFacts): Verdict[] {
  if (pid === undefined) return [warn(`edgecore ${version} does not run`, 'systemctl start edgecore, or edgecore')]
  if (standing === undefined) {
    const denied = silence !== undefined && /not yours/.test(silence)
    if (denied) return [skip(`edgecore runs as process ${pid}; this user may not ask it`, 'run this as root')]
    return [
      fail(
        `process ${pid} does not answer: ${silence}`,
        'systemctl restart edgecore; what was acknowledged is on disk',
      ),
    ]
  }
  const runs = `edgecore ${standing.version} runs as process ${pid}`
  const other = standing.version !== version
  const first = other
    ? warn(`${runs}, and this is ${version}`, 'systemctl restart edgecore runs the new one')
    : ok(runs)
  const bad = standing.conditions.filter(({ status, type }) => isBad(type, status) && !told.has(type))
  return [first, ...bad.map(({ type, message }) => warn(`${type}: ${message}`, 'docs/board.md says more'))]
}

/** Has a check of its own. */
const told = new Set(['CertificateValid'])

function isBad(type: string, status: string): boolean {
  return type.endsWith('Pressure') ? status === 'True' : status === 'False'
}
