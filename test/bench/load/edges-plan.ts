/** What the process of many edges is to do. */
export interface EdgesPlan {
  /** Names of the nodes; each gets an edgecore and a connection of its own. */
  nodes: string[]
  /** Port of cloudcore's broker. */
  cloudPort: number
  /** A folder for their data; each has one of its own in it, by its name. */
  dir: string
}
