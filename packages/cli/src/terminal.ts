/** What was asked for: programs read it. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** What people may want to know meanwhile. */
export function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}
