import { isIP } from 'node:net'
import { type Cause, duplicate, forbidden, invalid, notSupported, required } from './causes.ts'
import { checkContainer, checkSubPath, type PodContext } from './container-check.ts'
import { checkLabels } from './metadata.ts'
import { dnsLabelFaults, dnsSubdomainFaults, qualifiedNameFaults } from './names.ts'
import { asArray, asObject, type Json } from './schema.ts'

/** What is wrong with the spec of a pod, beyond its schema. */
export function checkPodSpec(spec: Json): Cause[] {
  const volumes = asArray(spec.volumes).map(asObject)
  const context: PodContext = {
    volumes: new Set(volumes.map(({ name }) => name)),
    names: new Set(),
    hostPorts: new Set(),
  }
  return [
    ...checkVolumes(volumes),
    ...checkContainers('containers', spec, context),
    ...checkContainers('initContainers', spec, context),
    ...checkNumbers(spec),
    ...checkNames(spec),
    ...checkLabels(spec.nodeSelector, 'spec.nodeSelector'),
    ...asArray(spec.tolerations).flatMap((one, index) => checkToleration(asObject(one), `spec.tolerations[${index}]`)),
    ...asArray(spec.hostAliases).flatMap((one, index) => checkAlias(asObject(one), `spec.hostAliases[${index}]`)),
  ]
}

function checkContainers(field: 'containers' | 'initContainers', spec: Json, context: PodContext): Cause[] {
  return asArray(spec[field]).flatMap((one, index) => {
    const container = asObject(one)
    const at = `spec.${field}[${index}]`
    const { restartPolicy } = container
    const wrong = field === 'initContainers' && restartPolicy !== undefined && restartPolicy !== 'Always'
    return [
      ...checkContainer(container, at, field === 'initContainers', context),
      ...(wrong ? [notSupported(`${at}.restartPolicy`, restartPolicy, ['Always'])] : []),
    ]
  })
}

function checkVolumes(volumes: Json[]): Cause[] {
  const names = new Set<unknown>()
  return volumes.flatMap((volume, index) => {
    const at = `spec.volumes[${index}]`
    const { name, ...sources } = volume
    const causes: Cause[] = []
    if (typeof name === 'string' && name !== '') {
      causes.push(...dnsLabelFaults(name).map((fault) => invalid(`${at}.name`, name, fault)))
      if (names.has(name)) causes.push(duplicate(`${at}.name`, name))
      names.add(name)
    }
    const given = Object.keys(sources)
    if (given.length === 0) causes.push(required(at, 'must specify a volume type'))
    causes.push(...given.slice(1).map((one) => forbidden(`${at}.${one}`, 'may not specify more than 1 volume type')))
    return [...causes, ...checkSource(sources, at)]
  })
}

function checkSource({ configMap, secret, hostPath, projected }: Json, at: string): Cause[] {
  const causes: Cause[] = []
  if (configMap !== undefined) {
    if (!asObject(configMap).name) causes.push(required(`${at}.configMap.name`))
    causes.push(...checkFiles(asObject(configMap), `${at}.configMap`))
  }
  if (secret !== undefined) {
    if (!asObject(secret).secretName) causes.push(required(`${at}.secret.secretName`))
    causes.push(...checkFiles(asObject(secret), `${at}.secret`))
  }
  const { path } = asObject(hostPath)
  if (typeof path === 'string' && path.split('/').includes('..')) {
    causes.push(invalid(`${at}.hostPath.path`, path, "must not contain '..'"))
  }
  if (projected !== undefined) causes.push(...checkMode(asObject(projected).defaultMode, `${at}.projected.defaultMode`))
  return causes
}

function checkFiles({ defaultMode, items }: Json, at: string): Cause[] {
  return [
    ...checkMode(defaultMode, `${at}.defaultMode`),
    ...asArray(items).flatMap((one, index) => {
      const { path, mode } = asObject(one)
      const here = `${at}.items[${index}]`
      return [
        ...(typeof path === 'string' ? checkSubPath(path, `${here}.path`) : []),
        ...checkMode(mode, `${here}.mode`),
      ]
    }),
  ]
}

function checkMode(mode: unknown, at: string): Cause[] {
  if (typeof mode !== 'number' || (mode >= 0 && mode <= 0o777)) return []
  return [invalid(at, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
}

function checkNumbers({ terminationGracePeriodSeconds: grace, activeDeadlineSeconds: deadline }: Json): Cause[] {
  const causes: Cause[] = []
  if (typeof grace === 'number' && grace < 0) {
    causes.push(invalid('spec.terminationGracePeriodSeconds', grace, 'must be greater than or equal to 0'))
  }
  if (typeof deadline === 'number' && (deadline < 1 || deadline > 2 ** 31 - 1)) {
    causes.push(invalid('spec.activeDeadlineSeconds', deadline, 'must be between 1 and 2147483647, inclusive'))
  }
  return causes
}

const nameRules: [string, (text: string) => string[]][] = [
  ['nodeName', dnsSubdomainFaults],
  ['serviceAccountName', dnsSubdomainFaults],
  ['priorityClassName', dnsSubdomainFaults],
  ['runtimeClassName', dnsSubdomainFaults],
  ['hostname', dnsLabelFaults],
  ['subdomain', dnsLabelFaults],
]

function checkNames(spec: Json): Cause[] {
  const causes = nameRules.flatMap(([field, faultsOf]) => {
    const value = spec[field]
    if (typeof value !== 'string' || value === '') return []
    return faultsOf(value).map((fault) => invalid(`spec.${field}`, value, fault))
  })
  if (spec.dnsPolicy === 'None' && asArray(asObject(spec.dnsConfig).nameservers).length === 0) {
    causes.push(required('spec.dnsConfig', 'must provide `dnsConfig` when `dnsPolicy` is None'))
  }
  return causes
}

function checkToleration({ key, operator, value, effect, tolerationSeconds }: Json, at: string): Cause[] {
  const causes: Cause[] = []
  if (typeof key === 'string' && key !== '') {
    causes.push(...qualifiedNameFaults(key).map((fault) => invalid(`${at}.key`, key, fault)))
  } else if (operator !== 'Exists') {
    const fault = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
    causes.push(invalid(`${at}.operator`, operator ?? '', fault))
  }
  if (operator === 'Exists' && typeof value === 'string' && value !== '') {
    causes.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    causes.push(invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  }
  return causes
}

function checkAlias({ ip }: Json, at: string): Cause[] {
  if (typeof ip !== 'string' || isIP(ip) !== 0) return []
  return [invalid(`${at}.ip`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
}
