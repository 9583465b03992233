import { hostname } from 'node:os'
import { UserError } from '@kedge/shared/errors'
import { isNodeName } from '@kedge/shared/topics'
import type { Identity } from './identity.ts'
import { findIdentity } from './keep.ts'

/** What a person may leave out once the board has joined. */
export interface Given {
  nodeName?: string | undefined
  cloud?: string | undefined
  data: string
}

/**
 * The name of this node and the address of its cloud: as given, else as it joined, else the host name and none. Throws a
 * `UserError` when what is given contradicts the identity in the data folder, or when that cannot be read.
 */
export function settledNode<T extends Given>(given: T): T & { nodeName: string } {
  const { identity, faults } = findIdentity(given.data)
  if (identity === undefined && faults.length > 0) {
    throw noIdentity(faults)
  }
  return { ...given, nodeName: nameOf(given, identity), cloud: given.cloud ?? identity?.broker ?? identity?.cloud }
}

/** There are files of an identity, and none of them is whole. */
export function noIdentity(faults: readonly string[]): UserError {
  const todo =
    'make a token for its name (cloudcore token create --node NAME) and join this board again (edgecore join)'
  return new UserError(`no identity holds together: ${faults.join('; ')}; ${todo}`)
}

/** `--node-name` as given, else that of the identity, else the host name. Throws a `UserError` that says what is wrong. */
export function nameOf({ nodeName, data }: Given, identity: Pick<Identity, 'node'> | undefined): string {
  if (nodeName !== undefined && identity !== undefined && nodeName !== identity.node) {
    throw new UserError(
      `--node-name: found "${nodeName}", but ${data} holds the identity of ${identity.node}; leave --node-name out, give another --data, or join again with --force`,
    )
  }
  const name = nodeName ?? identity?.node ?? hostname().toLowerCase()
  if (isNodeName(name)) return name
  throw new UserError(`the host name "${name}" cannot be the name of a node: give --node-name, a DNS-1123 name`)
}
