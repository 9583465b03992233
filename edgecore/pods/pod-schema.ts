import * as z from 'zod'
import { ContainerSpec, commonSecurity } from './container-schema.ts'
import { Volume } from './volume-schema.ts'

/** What Kedge reads of a pod spec. Fields that are not here are judged by `unsupported.ts`. */

const PodSecurity = z.object({
  ...commonSecurity,
  fsGroup: z.int().nonnegative().optional(),
  fsGroupChangePolicy: z.enum(['Always', 'OnRootMismatch']).default('Always'),
  supplementalGroups: z.array(z.int().nonnegative()).default([]),
  sysctls: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
})
export type PodSecurityContext = z.infer<typeof PodSecurity>

const DnsConfig = z.object({
  nameservers: z.array(z.string()).default([]),
  searches: z.array(z.string()).default([]),
  options: z.array(z.object({ name: z.string(), value: z.string().optional() })).default([]),
})
export type DnsConfig = z.infer<typeof DnsConfig>

export const PodSpec = z.object({
  containers: z.array(ContainerSpec).min(1),
  initContainers: z.array(ContainerSpec).default([]),
  volumes: z.array(Volume).default([]),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).default('Always'),
  terminationGracePeriodSeconds: z.number().nonnegative().default(30),
  activeDeadlineSeconds: z.int().positive().optional(),
  hostNetwork: z.boolean().default(false),
  hostPID: z.boolean().default(false),
  hostIPC: z.boolean().default(false),
  shareProcessNamespace: z.boolean().default(false),
  hostname: z.string().default(''),
  hostnameOverride: z.string().default(''),
  subdomain: z.string().default(''),
  setHostnameAsFQDN: z.boolean().default(false),
  hostAliases: z.array(z.object({ ip: z.string(), hostnames: z.array(z.string()).default([]) })).default([]),
  dnsPolicy: z.enum(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']).default('ClusterFirst'),
  dnsConfig: DnsConfig.prefault({}),
  imagePullSecrets: z.array(z.object({ name: z.string().default('') })).default([]),
  readinessGates: z.array(z.object({ conditionType: z.string() })).default([]),
  securityContext: PodSecurity.prefault({}),
  nodeName: z.string().default(''),
  serviceAccountName: z.string().default(''),
  priority: z.int().default(0),
})
export type PodSpec = z.infer<typeof PodSpec>

/** What zod makes of a pod's spec. The bundle has the schemas made with the first pod: 0.6 MB that a board without any spares. */
export function parsePodSpec(spec: unknown): z.ZodSafeParseResult<PodSpec> {
  return PodSpec.safeParse(spec)
}
