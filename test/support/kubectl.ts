import { execFile, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Where kubectl is, by KEDGE_TEST_KUBECTL or PATH; undefined when there is none. */
export function findKubectl(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'kubectl'))
  return [process.env.KEDGE_TEST_KUBECTL ?? '', ...folders].find((path) => path !== '' && isExecutable(path))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface Output {
  code: number
  stdout: string
  stderr: string
}

export interface Kubectl {
  /** Runs a command line as a person types it; words may be quoted. */
  run(line: string, more?: { input?: string; editor?: string }): Promise<Output>
  /** Runs it until its output has `count` lines, then stops it. */
  lines(line: string, count: number): Promise<string[]>
  /** The path of a file with this content. */
  file(name: string, content: string): string
  /** Major and minor version, such as 1.32. */
  version(): Promise<number>
  close(): void
}

export function openKubectl(program: string, kubeconfig: string): Kubectl {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-kubectl-'))
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: dir, TMPDIR: dir, KUBECACHEDIR: join(dir, 'cache') }
  const run: Kubectl['run'] = (line, { input, editor } = {}) =>
    new Promise((resolve) => {
      const child = execFile(
        program,
        words(line),
        { env: editor === undefined ? env : { ...env, EDITOR: editor, KUBE_EDITOR: editor }, timeout: 30_000 },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
      )
      child.stdin?.end(input ?? '')
    })
  return {
    run,
    lines: (line, count) =>
      new Promise((resolve, reject) => {
        const child = spawn(program, words(line), { env, timeout: 30_000 })
        let text = ''
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
          if (text.split('\n').length > count) child.kill()
        })
        child.on('error', reject)
        child.on('close', () => resolve(text.split('\n').slice(0, count)))
      }),
    file(name, content) {
      const path = join(dir, name)
      writeFileSync(path, content, { mode: 0o700 })
      return path
    },
    async version() {
      const { stdout } = await run('version --client -o json')
      const { major, minor } = JSON.parse(stdout).clientVersion
      return Number(`${major}.${Number.parseInt(minor, 10)}`)
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** Splits at blanks outside quotes. */
function words(line: string): string[] {
  return (line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []).map((word) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  )
}
