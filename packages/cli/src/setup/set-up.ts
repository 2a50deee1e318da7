import { exitCodes } from '../exit-codes.ts'
import { exitCodeAfter } from '../signals.ts'
import { print, tell } from '../terminal.ts'
import { openVault } from '../vault/vault-api.ts'
import type { VaultFlags } from '../vault/vault-flags.ts'
import { applyAll, type Outcome } from './apply-all.ts'
import { agreed } from './ask.ts'
import { failureOf } from './failure.ts'
import { type Plan, planFor } from './plan.ts'
import type { Problem } from './position.ts'
import { proveRole } from './prove-role.ts'
import { readSetupFile } from './read/setup-file.ts'
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
  if (problems.length > 0) return tellProblems(name, problems, flags)
  if (flags.print) return printCommands(file, flags)
  await using vault = openVault(flags)
  const plan = await planFor(file, vault)
  if (plan.problems.length > 0) return tellProblems(name, plan.problems, flags)
  if (flags.plan) return printPlan(plan, flags)
  const missing = missingSecrets(plan)
  if (missing.length > 0) return tellProblems(name, missing, flags)
  const changes = flags.yes ? plan.changes : await agreed(plan.changes)
  const outcome = await applyAll(changes, { vault, prove: (role) => proveRole(flags, role) }, (change) => {
    if (!flags.json) print(changeText(change))
  })
  return tellOutcome(name, outcome, plan, flags)
}

function tellProblems(name: string, problems: readonly Problem[], { json }: SetUpFlags): number {
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

function tellOutcome(
  name: string,
  { applied, failed, interruptedBy }: Outcome,
  { changes }: Plan,
  { json }: SetUpFlags,
): number {
  const failure = failed && failureOf(name, failed.change, failed.error)
  const left = changes.filter((change) => !applied.includes(change))
  if (failure) tell(failure.text)
  if (json) {
    const done = { applied: applied.map(changeAsJson), left: left.map(changeAsJson) }
    print(JSON.stringify({ ...done, error: failure?.text }))
  } else if (left.length > 0) tell(`${left.length} left to do by another run.`)
  else tell(applied.length > 0 ? 'Done.' : 'Nothing to do.')
  if (failure) return failure.code
  if (interruptedBy) return exitCodeAfter(interruptedBy)
  return left.length > 0 ? exitCodes.found : exitCodes.done
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
