import { Interrupted } from './signals.ts'

/** What was asked for: programs read it. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/**
 * The same, for what is not to be lost.
 *
 * @throws Interrupted when nobody reads it.
 */
export async function printToReader(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error) => (error ? reject(new Interrupted('SIGPIPE')) : resolve()))
  })
}

/** Who reads may go before the end, as `head` does: what was begun is finished all the same. */
export function bearLostReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

/** What people may want to know meanwhile. */
export function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** In one line, from left to right: what others have written is not to move the cursor, or to look like a line of ours. */
export function inOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, ' ')
}

/** On a terminal only, and not for who has NO_COLOR set (no-color.org). */
export function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env['NO_COLOR']
}
