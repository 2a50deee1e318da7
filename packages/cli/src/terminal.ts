/** What was asked for: programs read it. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** What people may want to know meanwhile. */
export function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** On a terminal only, and not for who has NO_COLOR set (no-color.org). */
export function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env['NO_COLOR']
}
