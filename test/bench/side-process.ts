import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Measurement, SidePlan, Step } from './load.ts'

/** A side in a process of its own: together in one, each would make the other's call sites slower. */
export interface SideProcess {
  do(step: Step): Promise<void>
  report(): Promise<Measurement>
  close(): Promise<void>
}

const side = fileURLToPath(new URL('./side.js', import.meta.url))

/** @throws Error, here and at each step, when the process ends before it has answered. */
export async function startSide(plan: SidePlan): Promise<SideProcess> {
  const child = fork(side, [JSON.stringify(plan)], { execArgv: ['--expose-gc'] })
  const ended = once(child, 'exit')
  const answer = async (): Promise<unknown> => {
    const given = await Promise.race([once(child, 'message'), ended.then(() => undefined)])
    if (given) return given[0].answer
    throw new Error(`The process of ${plan.adapter}, ${plan.side}, has ended: what it printed says why.`)
  }
  const ask = async (step: Step): Promise<unknown> => {
    const answered = answer()
    child.send(step)
    return await answered
  }
  await answer()
  return {
    do: async (step) => void (await ask(step)),
    report: async () => (await ask({ step: 'report' })) as Measurement,
    async close() {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}
