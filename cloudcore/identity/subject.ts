/** The user name of a node, as Kubernetes has it. */
export function nodeUser(node: string): string {
  return `system:node:${node}`
}

export const nodesGroup = 'system:nodes'

/** The subject of a node's certificate, in the order that Kubernetes' own tools write it. */
export function nodeSubject(node: string): { [field: string]: string[] }[] {
  return [{ O: [nodesGroup] }, { CN: [nodeUser(node)] }]
}
