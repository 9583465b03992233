/** Put in by the build; absent when the sources run unbundled. */
declare const KEDGE_VERSION: string | undefined

/** The version of Kedge that runs. */
export const version: string = typeof KEDGE_VERSION === 'string' ? KEDGE_VERSION : '0.0.0-dev'
