import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { isAlive } from '@kedge/shared/pid-file'
import type { OwnMachine } from './own-machine.ts'
import { run } from './run.ts'

// What Debian's qemu-user-static would have systemd tell the kernel.
const known = '/usr/lib/binfmt.d/qemu-aarch64.conf'
const kernel = '/proc/sys/fs/binfmt_misc'
const named = 'kedge-test-arm64-'

/** Why containers for arm64 cannot run on this machine, or undefined. In CI they must. */
export function withoutEmulation(): string | undefined {
  const reason = lacking()
  if (reason !== undefined && process.env.CI) throw new Error(`${reason}: CI must run images of other machines`)
  return reason
}

function lacking(): string | undefined {
  if (process.getuid?.() !== 0) return 'containers need root'
  if (!existsSync('/usr/bin/dockerd') && !existsSync('/usr/sbin/dockerd')) return 'docker.io is not installed'
  if (!existsSync(known)) return 'qemu-user-static is not installed'
  // Where it is a module, nobody may have asked for it yet.
  if (!existsSync(kernel)) spawnSync('modprobe', ['binfmt_misc'])
  return existsSync(kernel) ? undefined : 'the kernel has no binfmt_misc'
}

/**
 * Has the kernel run programs for arm64 under qemu, unless it does. Resolves with what undoes that. Where nobody else has
 * mounted binfmt_misc it ends with the machine, however that ends; else the next test removes what a killed one has left.
 */
export async function emulateArm64(machine: OwnMachine): Promise<() => Promise<void>> {
  const inIt = (script: string) => {
    const [program = '', ...args] = machine.withItsMounts
    return run(program, [...args, 'sh', '-ec', `cd ${kernel}; ${script}`])
  }
  const names = await inIt(`[ -e register ] || mount -t binfmt_misc binfmt_misc .; cd ${kernel}; ls`)
  for (const name of names.split('\n').filter((one) => one.startsWith(named)))
    if (!isAlive(Number(name.slice(named.length)))) await inIt(`echo -1 > ${name}`)
  const own = `${named}${process.pid}`
  const done = await inIt(`grep -qs ^enabled qemu-aarch64 || sed 's/^:[^:]*:/:${own}:/' ${known} > register; ls`)
  return done.includes(own) ? () => inIt(`echo -1 > ${own}`).then(() => {}) : async () => {}
}
