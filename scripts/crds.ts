import { writeFileSync } from 'node:fs'
import { deviceCrdFiles } from '@kedge/shared/kubeapi/device-crds'

/** Writes the definitions in `deploy/` from the schemas. */
for (const { name, text } of deviceCrdFiles()) {
  writeFileSync(new URL(`../deploy/${name}`, import.meta.url), text)
}
