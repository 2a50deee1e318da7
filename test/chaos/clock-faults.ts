import { type Fault, inTheMiddleOfALease } from './fault.ts'

const hourMs = 3_600_000
const { now } = Date

/** The date of the process is set; the monotonic clock goes on as ever. */
function jump(name: string, byMs: number): Fault {
  return {
    name,
    world: 'single',
    ...inTheMiddleOfALease,
    async inject() {
      Date.now = () => now() + byMs
    },
    async heal() {
      Date.now = now
    },
  }
}

export const clockFaults: readonly Fault[] = [jump('clock-forward', hourMs), jump('clock-back', -hourMs)]
