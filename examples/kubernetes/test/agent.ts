import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findVault } from '../../../packages/testing/src/binaries.ts'
import { ServerProcess, temporaryFolder } from '../../../packages/testing/src/server-process.ts'

/** A `vault agent` or `vault proxy` (or `bao`) with the text of a configuration. */
export interface AgentTerms {
  readonly command: 'agent' | 'proxy'
  readonly config: string
  /** The address of Vault. */
  readonly vault: string
  /** Rejects until it does what it is for. */
  ready(): Promise<unknown>
}

export async function startAgent({ command, config, vault, ready }: AgentTerms): Promise<AsyncDisposable> {
  const { path: folder, remove } = temporaryFolder()
  const file = join(folder, 'agent.hcl')
  writeFileSync(file, config)
  const process = await ServerProcess.start({
    name: command,
    command: await findVault(),
    args: [command, `-config=${file}`],
    env: { VAULT_ADDR: vault, BAO_ADDR: vault },
    folder,
    ready,
  })
  return {
    async [Symbol.asyncDispose]() {
      await process.stop('SIGTERM')
      remove()
    },
  }
}
