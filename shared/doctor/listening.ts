/** Somebody who listens on a TCP port of this machine. */
export interface Listener {
  /** Of the address that is listened on, as the kernel writes it: `0100007F`, or 32 digits for IPv6. */
  address: string
  port: number
  /** Of its socket: `socket:[inode]` among the open files of the process that has it. */
  inode: string
}

const stateListen = '0A'

/** Who listens, from the text of /proc/net/tcp or /proc/net/tcp6 (proc_pid_net(5)). Pure. */
export function listenersIn(text: string): Listener[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      const [address = '', port = ''] = local.split(':')
      return state === stateListen ? [{ address, port: Number.parseInt(port, 16), inode }] : []
    })
}

/** Whether somebody who listens at `address` is in the way of one who wants `host`. Pure. */
export function isInTheWay({ address }: Listener, host: string): boolean {
  const all = /^0+$/
  if (all.test(address) || host === '0.0.0.0' || host === '::') return true
  const wanted = host === 'localhost' ? '127.0.0.1' : host
  return address === hexOf(wanted) || hexOf(wanted) === undefined
}

/** An IPv4 address in the kernel's words, on a machine whose least byte comes first; undefined for others. */
function hexOf(host: string): string | undefined {
  const bytes = host.split('.').map(Number)
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255)) return undefined
  return bytes
    .reverse()
    .map((byte) => byte.toString(16).padStart(2, '0').toUpperCase())
    .join('')
}
