import { isIP, isIPv4, isIPv6 } from 'node:net'

/** RFC 3339, section 5.6, as Go reads it: a space or lower case letters are not allowed. */
const dateTime =
  /^\d{4}-(0[1-9]|1[0-2])-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/

export function isDateTime(text: string): boolean {
  return dateTime.test(text) && isDate(text.slice(0, 10))
}

function isDate(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`)
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}

/** Standard base64 with padding; line breaks are allowed. */
export function isBase64(text: string): boolean {
  const coded = text.replaceAll(/[\r\n]/g, '')
  return coded.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(coded)
}

/** The form of an amount: digits, then a suffix (`m`, `k`, `Mi`, `e3`, …). */
export const quantityPattern = '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
function isCidr(text: string): boolean {
  const [address = '', width = '', ...rest] = text.split('/')
  const most = isIPv4(address) ? 32 : 128
  return rest.length === 0 && isIP(address) !== 0 && /^\d{1,3}$/.test(width) && Number(width) <= most
}

const uuid = (version: string) =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i')
const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'

/** The formats that Kubernetes checks in custom resources; others say nothing. */
const checks: Record<string, RegExp | ((text: string) => boolean)> = {
  'date-time': isDateTime,
  datetime: isDateTime,
  date: isDate,
  byte: isBase64,
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: isCidr,
  mac: /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/i,
  email: /^[^\s@]+@[^\s@]+$/,
  hostname:
    /^(?=.{1,253}$)[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*\.?$/,
  uri: isAbsoluteUri,
  uuid: uuid('[0-9a-f]'),
  uuid3: uuid('3'),
  uuid4: uuid('4'),
  uuid5: uuid('5'),
  duration: /^(0|([+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+)|\d+\s*(d|w|day|days|week|weeks))$/,
  hexcolor: /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i,
  'k8s-short-name': new RegExp(`^(?=.{1,63}$)${label}$`),
  'k8s-long-name': new RegExp(`^(?=.{1,253}$)${label}(\\.${label})*$`),
}

function isAbsoluteUri(text: string): boolean {
  return text.startsWith('/') || URL.canParse(text)
}

/** Whether `text` is in `format`; true for a format that is not known. */
export function isInFormat(text: string, format: string): boolean {
  const check = Object.hasOwn(checks, format) ? checks[format] : undefined
  if (check === undefined) return true
  return check instanceof RegExp ? check.test(text) : check(text)
}
