import { must } from '@kedge/shared/must'
import { keyOf } from '@kedge/shared/objects'
import type { PodCare } from './care.ts'
import { removeContainerLog, removeSandboxLogs } from './container-logs.ts'
import { type SetupInput, setUp, skippedMessage } from './container-setup.ts'
import { dnsOf } from './dns.ts'
import type { PodEvent } from './events.ts'
import type { Images } from './images.ts'
import type { Lookup } from './lookup.ts'
import type { Mounts } from './mounts.ts'
import { hostDns } from './node-dns.ts'
import type { Look, Observer } from './observe.ts'
import type { Doers, StepOf } from './plan.ts'
import { mountsFor } from './pod-files.ts'
import { credentialsFor } from './pull-secrets.ts'
import type { ContainerConfig, PodConfig, Runtime, Sandbox } from './runtime.ts'
import type { WantedContainer, WantedSpec } from './spec.ts'
import { StepFault } from './step-fault.ts'

export interface Tools extends Pick<Observer, 'capacity' | 'hostIP' | 'real'> {
  runtime: Runtime
  images: Images
  mounts: Mounts
  care: PodCare
  lookup: Lookup
  /** Takes note of an event, to be written down with the next status. */
  tell: (event: PodEvent) => void
  /** What was seen when the steps were planned. */
  look: () => Look | undefined
  wake: () => void
}

/** Who does which step. */
export function doersOf(tools: Tools): Doers {
  const { runtime, images, mounts, care, tell, look, wake, real } = tools
  const pulled = new Set<string>()
  const addition = runtime.notice ? ` (${runtime.name})` : ''
  const normal = (reason: string, message: string) => tell({ type: 'Normal', reason, message: message + addition })
  const seen = () => must(look(), 'a look at the pod')
  const spec = (): WantedSpec => must(seen().situation.wanted?.spec, 'the pod spec')
  const config = (): PodConfig => spec().config

  const start = async (id: string, started: Started) => {
    const { container } = started
    await runtime.startContainer(id).catch((cause) => {
      throw new StepFault('RunContainerError', `failed to start container "${container.name}"`, { cause })
    })
    normal('Started', `Started container ${container.name}`)
    if (real) attend(tools, id, started)
  }

  return {
    async mount() {
      await mounts.write(config().uid, seen().volumes)
    },
    async unmount({ uid }) {
      await mounts.remove(uid)
    },
    async createSandbox({ attempt }) {
      // One that a power cut has ended still has its address. Whatever keeps it, the pod comes first: `removeSandbox` tells.
      for (const { id } of seen().situation.seen) await runtime.stopSandbox(id).catch(() => {})
      await runtime.createSandbox(real ? await withDns(spec()) : config(), attempt)
    },
    async stopSandbox({ id }) {
      await runtime.stopSandbox(id)
    },
    async removeSandbox({ id }) {
      const { seen: all, wanted } = seen().situation
      const gone = all.find((one) => one.id === id)
      const others = all.filter((one) => one !== gone && one.pod.uid === gone?.pod.uid)
      if (gone) await removeSandboxLogs(runtime, gone, others.length === 0 && gone.pod.uid !== wanted?.uid)
      await runtime.removeSandbox(id)
    },
    async pull({ image }) {
      normal('Pulling', `Pulling image "${image}"`)
      pulled.add(image)
      images.begin(image, { pod: config(), credentials: credentials(spec(), image, tools.lookup) }, wake)
    },
    async run(step) {
      const { container, imageId, attempt, backoffMs } = step
      const { name, kind, image } = container
      const state = seen().situation.images.get(image)
      if (state?.is === 'failed') {
        const message = `Failed to pull image "${image}", the copy on this node is used: ${state.message}`
        tell({ type: 'Warning', reason: 'Failed', message })
      }
      const fetched = pulled.delete(image) && state?.is === 'present'
      normal(
        'Pulled',
        fetched ? `Successfully pulled image "${image}"` : `Container image "${image}" already present on machine`,
      )
      const record = { name, kind, image, imageId, attempt, backoffMs }
      const own = real ? await configured(tools, step) : {}
      const id = await runtime.createContainer(step.sandbox, config(), { ...record, ...own })
      normal('Created', `Created container: ${name}`)
      await start(id, { container, sandbox: step.sandbox })
    },
    async start({ id, container, sandbox }) {
      await start(id, { container: must(findContainer(spec(), container), `container ${container}`), sandbox })
    },
    async stop({ id, graceMs, why, sandbox }) {
      const owner = seen().situation.seen.find((one) => one.containers.some((container) => container.id === id))
      tell({ type: 'Normal', reason: 'Killing', message: why + addition, ...(owner && { uid: owner.pod.uid }) })
      await care.end(id, graceMs, sandbox)
    },
    async remove({ id }) {
      for (const sandbox of seen().situation.seen) {
        const gone = sandbox.containers.find((container) => container.id === id)
        if (gone) await removeContainerLog(runtime, sandbox, gone)
      }
      await runtime.removeContainer(id)
    },
  }
}

function findContainer({ containers }: WantedSpec, name: string): WantedContainer | undefined {
  return containers.find((one) => one.name === name)
}

async function withDns({ config, of, hostNetwork }: WantedSpec): Promise<PodConfig> {
  const { dnsConfig, dnsPolicy } = of
  const asNode = dnsPolicy !== 'None' && Object.values(dnsConfig).every((list) => list.length === 0)
  // On the node's network the engine gives the node's own file, and keeps it so.
  if (hostNetwork && asNode) return config
  return { ...config, dns: dnsOf(of, await hostDns(hostNetwork)) }
}

function credentials({ config, of }: WantedSpec, image: string, lookup: Lookup) {
  const secrets = of.imagePullSecrets.flatMap(({ name }) => lookup(keyOf('secrets', config.namespace, name)) ?? [])
  return credentialsFor(image, secrets)
}

/** All that the engine is told about a container, with everything on the node that it needs in place. */
async function configured(tools: Tools, step: StepOf<'run'>): Promise<Partial<ContainerConfig>> {
  const { tell, mounts, look, lookup, capacity, hostIP } = tools
  const { situation, content, volumes, users } = must(look(), 'a look at the pod')
  const spec = must(situation.wanted?.spec, 'the pod spec')
  const pod = must(content, 'the pod')
  const { container, attempt } = step
  const ips = addressesIn(situation.seen, step.sandbox, spec.hostNetwork ? hostIP : undefined)
  const addresses = { podIPs: ips, hostIP }
  const input: SetupInput = { pod, spec, container, lookup, addresses, capacity, imageUser: users.get(container.image) }
  const made = setUp(input)
  if (!made.ok) throw new StepFault('CreateContainerConfigError', made.fault)
  const { config, mounts: wishes, skipped } = made.setup
  for (const one of skipped) {
    const message = skippedMessage(one, spec.config.namespace)
    tell({ type: 'Warning', reason: 'InvalidEnvironmentVariableNames', message })
  }
  return { ...config, mounts: await mountsFor(mounts, { spec, container, attempt, volumes, wishes, ips }) }
}

function addressesIn(seen: readonly Sandbox[], id: string, hostIP: string | undefined): string[] {
  if (hostIP !== undefined) return [hostIP]
  const sandbox = seen.find((one) => one.id === id)
  return sandbox?.ips ?? (sandbox?.ip === undefined ? [] : [sandbox.ip])
}

/** Begins to look after a container that has just started. */
function attend({ care, look }: Tools, id: string, { container, sandbox }: Started): void {
  const { wanted, seen, now } = must(look(), 'a look at the pod').situation
  const found = seen.find((one) => one.id === sandbox)
  if (wanted?.spec === undefined || found === undefined) return
  care.started(container, { id, sandbox: found, hostNetwork: wanted.spec.hostNetwork, startedAt: now })
}

interface Started {
  container: WantedContainer
  /** Its id. */
  sandbox: string
}
