import { CredentialsUnavailableError, InvalidOptionError, VaultLeaseError } from '@vault-lease/core'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import { untilInterrupted } from '../signals.ts'
import { print, tell } from '../terminal.ts'
import { openVault, type VaultApi } from '../vault/vault-api.ts'
import type { VaultFlags } from '../vault/vault-flags.ts'
import { apply } from './apply.ts'
import { ask, canAsk } from './ask.ts'
import { type Change, type Plan, planFor } from './plan.ts'
import type { Problem } from './position.ts'
import { proveRole } from './prove-role.ts'
import { readSetupFile } from './read-setup-file.ts'
import { changeAsJson, changeText } from './report.ts'
import { secretAt } from './secret.ts'
import type { SetupFile } from './setup-file.ts'
import { commandFor } from './vault-commands.ts'
import { wantedOf } from './wanted.ts'

export interface SetUpFlags extends VaultFlags {
  readonly plan?: true
  readonly print?: true
  readonly yes?: true
  readonly json?: true
}

/** Has a server be as a file says, or tells how it differs. Gives the exit code. */
export async function setUp(name: string, text: string, flags: SetUpFlags): Promise<number> {
  const { file, problems } = readSetupFile(text)
  if (problems.length > 0) return refuse(name, problems, flags)
  if (flags.print) return printCommands(file, flags)
  await using vault = openVault(flags)
  const plan = await planFor(file, vault)
  if (plan.problems.length > 0) return refuse(name, plan.problems, flags)
  if (flags.plan) return printPlan(plan, flags)
  const missing = missingSecrets(plan)
  if (missing.length > 0) return refuse(name, missing, flags)
  return await applyAll(name, await agreed(plan.changes, flags), plan, vault, flags)
}

function refuse(name: string, problems: readonly Problem[], { json }: SetUpFlags): number {
  if (json) print(JSON.stringify({ problems }))
  else for (const { line, column, message } of problems) tell(`${name}:${line}:${column}: ${message}`)
  return exitCodes.usage
}

function printCommands(file: SetupFile, { json }: SetUpFlags): number {
  const commands = wantedOf(file).map(commandFor)
  print(json ? JSON.stringify({ commands }) : commands.join('\n\n'))
  return exitCodes.done
}

function printPlan({ changes, beside }: Plan, { json }: SetUpFlags): number {
  if (json) print(JSON.stringify({ changes: changes.map(changeAsJson), beside }))
  else {
    for (const change of changes) print(changeText(change))
    for (const path of beside) tell(`${path} is not in the file: it is left alone.`)
    tell(changes.length === 0 ? 'Nothing to do.' : `${changes.length} to do: nothing was changed.`)
  }
  return changes.length > 0 ? exitCodes.found : exitCodes.done
}

/** What is about to be sent has to be at hand before anything is. */
function missingSecrets({ changes }: Plan): readonly Problem[] {
  return changes.flatMap(({ found, wanted: { secret } }) => {
    if (!secret || (found && secret.sent === 'at first')) return []
    const read = secretAt(secret.place)
    const { line, column } = secret.place
    return 'missing' in read ? [{ line, column, message: read.missing }] : []
  })
}

/**
 * Without the rotations that somebody did not agree to.
 *
 * @throws InvalidOptionError when there is nobody to ask.
 */
async function agreed(changes: readonly Change[], { yes }: SetUpFlags): Promise<readonly Change[]> {
  const rotations = changes.filter(({ action }) => action === 'rotate')
  if (yes || rotations.length === 0) return changes
  const paths = rotations.map(({ wanted }) => wanted.path)
  if (!canAsk())
    throw new InvalidOptionError(
      `The root password of ${paths.join(', ')} would be rotated, and nobody would know it but Vault: give --yes. Nothing was changed.`,
    )
  const refused = new Set<string>()
  for (const path of paths)
    if (!(await ask(`Rotate the root password of ${path}? From then on Vault alone knows it.`)))
      refused.add(path)
  return changes.filter(({ action, wanted }) => action !== 'rotate' || !refused.has(wanted.path))
}

/** One after another. What failed or was interrupted is done by another run. */
async function applyAll(
  name: string,
  agreed: readonly Change[],
  { changes }: Plan,
  vault: VaultApi,
  flags: SetUpFlags,
): Promise<number> {
  using interrupted = untilInterrupted()
  let isInterrupted = false
  void interrupted.then(() => {
    isInterrupted = true
  })
  const applied: Change[] = []
  let failure: { readonly text: string; readonly code: number } | undefined
  for (const change of agreed) {
    if (isInterrupted) break
    try {
      await apply(change, { vault, prove: (role) => proven(role, flags) })
      applied.push(change)
      if (!flags.json) print(changeText(change))
    } catch (error) {
      failure = failureOf(name, change, error)
      break
    }
  }
  const left = changes.filter((change) => !applied.includes(change))
  if (failure) tell(failure.text)
  if (flags.json)
    print(
      JSON.stringify({
        applied: applied.map(changeAsJson),
        left: left.map(changeAsJson),
        error: failure?.text,
      }),
    )
  else
    tell(
      left.length > 0
        ? `${left.length} left to do by another run.`
        : applied.length > 0
          ? 'Done.'
          : 'Nothing to do.',
    )
  return failure?.code ?? (left.length > 0 ? exitCodes.found : exitCodes.done)
}

/** Who may write roles need not be who may read credentials. */
async function proven(
  role: { readonly mount: string; readonly name: string },
  flags: SetUpFlags,
): Promise<void> {
  try {
    await proveRole(flags, role)
  } catch (error) {
    if (codesOf(error).includes('ERR_VAULT_PERMISSION_DENIED'))
      tell(`${role.mount}/creds/${role.name} was not tried: the token may not read it.`)
    else throw error
  }
}

function failureOf(
  name: string,
  { wanted: { kind, path, at } }: Change,
  error: unknown,
): { text: string; code: number } {
  if (!(error instanceof VaultLeaseError)) throw error
  // What was sent is why there is no credential.
  const reason =
    error instanceof CredentialsUnavailableError && error.cause instanceof Error ? error.cause : error
  const why = reason.message
  const gone = kind === 'role' ? ' The role was taken back.' : ''
  const ofDatabase = codesOf(error).includes('ERR_VAULT_DATABASE') || why.includes('verifying connection')
  return {
    text: `${name}:${at.line}:${at.column}: ${kind} ${path}: ${why}${gone}${hintOn(kind, why)}`,
    code: ofDatabase ? exitCodes.database : exitCodeOf(error),
  }
}

function hintOn(kind: string, why: string): string {
  if (kind === 'audit device' && why.includes('declarative'))
    return ' OpenBao takes audit devices from the configuration of the server: write it there, as audit "<type>" "<path>" { options { … } }.'
  return ''
}

/** A cause keeps no class. */
function codesOf(error: unknown): readonly unknown[] {
  if (!(error instanceof Error)) return []
  return ['code' in error ? error.code : undefined, ...codesOf(error.cause)]
}
