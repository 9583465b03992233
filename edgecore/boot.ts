import { setFlagsFromString } from 'node:v8'
import { setEffort } from './effort.ts'

// The first that runs: what V8 has taken for loading the program, it does not give back.
keepSmall()
void import('./main.ts')

/**
 * Keeps V8 near what is in use; the price is more frequent, smaller collections. Set here and not on the command line, so
 * that it holds however edgecore is started. `npm run bench -- memory` shows what it gives.
 * - The space for new objects stays at its first size. Else it grows to 48 MB with the first burst of messages and stays
 *   there.
 * - The rest, and what becomes machine code, is a matter of how much there is to do (`effort.ts`).
 */
function keepSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setEffort('little')
}
