import { isOfCounting } from './timers.ts'

/** Warnings of the process, such as that there are too many listeners. Returns the way to end it. */
export function collectWarnings(): () => readonly string[] {
  const warnings: string[] = []
  const onWarning = (warning: Error): void => {
    if (!isOfCounting(warning)) warnings.push(String(warning))
  }
  process.on('warning', onWarning)
  return () => {
    process.off('warning', onWarning)
    return warnings
  }
}
