// It must be there before the library is.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

/** The library for certificates, for `await import`: it is CommonJS, as that of `shared/yaml.ts` is. */
export { x509 }
