import { createInterface } from 'node:readline/promises'
import { InvalidOptionError } from '@vault-lease/core'

/** @throws InvalidOptionError when nobody is there who could answer. */
export async function saysYes(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new InvalidOptionError(`${question} Nobody is there to be asked: say --yes.`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const gone = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
  try {
    const answer = await Promise.race([terminal.question(`${question} [y/N] `), gone])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}
