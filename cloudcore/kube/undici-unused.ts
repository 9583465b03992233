/**
 * Takes undici's place in the bundle of cloudcore, where it would cost 14 MB of memory: the client library loads it for
 * the dispatchers of its own API classes, which Kedge never makes (`credentials.ts` uses Node's agents).
 */
function unused(): never {
  throw new Error('undici is not part of this bundle: reach Kubernetes through kube/client.ts')
}

class Unused {
  constructor() {
    unused()
  }
}

export { Unused as Agent, Unused as ProxyAgent, unused as fetch }
