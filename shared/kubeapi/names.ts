/** The rules for names of Kubernetes. Each function returns what is wrong, in Kubernetes' words; empty when all is well. */

const labelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomainFormat = `${labelFormat}(\\.${labelFormat})*`
const qualifiedFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelValueFormat = `(${qualifiedFormat})?`

const label = new RegExp(`^${labelFormat}$`)
const subdomain = new RegExp(`^${subdomainFormat}$`)
const qualified = new RegExp(`^${qualifiedFormat}$`)
const labelValue = new RegExp(`^${labelValueFormat}$`)

function tooLong(max: number): string {
  return `must be no more than ${max} characters`
}

function explained(rule: string, format: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}'`).join(',  or ')
  return `${rule} (e.g. ${shown}, regex used for validation is '${format}')`
}

export function dnsLabelFaults(text: string): string[] {
  const faults = text.length > 63 ? [tooLong(63)] : []
  if (!label.test(text)) {
    const rule =
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
    faults.push(explained(rule, labelFormat, 'my-name', '123-abc'))
  }
  return faults
}

export function dnsSubdomainFaults(text: string): string[] {
  const faults = text.length > 253 ? [tooLong(253)] : []
  if (!subdomain.test(text)) {
    const rule =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    faults.push(explained(rule, subdomainFormat, 'example.com'))
  }
  return faults
}

/** What may stand in a URL path as one segment. */
export function pathSegmentFaults(text: string): string[] {
  if (text === '.' || text === '..') return [`may not be '${text}'`]
  return ['/', '%'].filter((mark) => text.includes(mark)).map((mark) => `may not contain '${mark}'`)
}

/** `name` or `prefix/name`: keys of labels and annotations, finalizers. */
export function qualifiedNameFaults(text: string): string[] {
  const parts = text.split('/')
  if (parts.length > 2) {
    const rule =
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    return [
      `${explained(rule, qualifiedFormat, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  const name = parts.at(-1) ?? ''
  const faults: string[] = []
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') faults.push('prefix part must be non-empty')
    else faults.push(...dnsSubdomainFaults(prefix).map((fault) => `prefix part ${fault}`))
  }
  if (name === '') faults.push('name part must be non-empty')
  else if (name.length > 63) faults.push(`name part ${tooLong(63)}`)
  if (!qualified.test(name)) {
    const rule =
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    faults.push(explained(rule, qualifiedFormat, 'MyName', 'my.name', '123-abc'))
  }
  return faults
}

export function labelValueFaults(text: string): string[] {
  const faults = text.length > 63 ? [tooLong(63)] : []
  if (!labelValue.test(text)) {
    const rule =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    faults.push(explained(rule, labelValueFormat, 'MyValue', 'my_value', '12345'))
  }
  return faults
}

/** Keys of ConfigMaps and Secrets. */
export function configKeyFaults(text: string): string[] {
  const faults = text.length > 253 ? [tooLong(253)] : []
  if (text === '.' || text === '..') faults.push(`must not be '${text}'`)
  else if (text.startsWith('..')) faults.push("must not start with '..'")
  if (!/^[-._a-zA-Z0-9]+$/.test(text)) {
    const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    faults.push(explained(rule, '[-._a-zA-Z0-9]+', 'key.name', 'KEY_NAME', 'key-name').replaceAll(',  or ', ', or '))
  }
  return faults
}

/** Names of environment variables: any printable ASCII but `=`. */
export function envNameFaults(text: string): string[] {
  if (/^[ -<>-~]+$/.test(text)) return []
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

/** Names of container ports. */
export function portNameFaults(text: string): string[] {
  const faults: string[] = []
  if (text.length > 15) faults.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/.test(text)) faults.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(text)) faults.push('must contain at least one letter (a-z)')
  if (text.includes('--')) faults.push('must not contain consecutive hyphens')
  if (text.startsWith('-') || text.endsWith('-')) faults.push('must not begin or end with a hyphen')
  return faults
}
