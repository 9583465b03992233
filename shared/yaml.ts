/**
 * The library for YAML, for `await import`: it is CommonJS, whose names a part of a program that is loaded later would not
 * have.
 */
export { parse, parseAllDocuments, stringify } from 'yaml'
