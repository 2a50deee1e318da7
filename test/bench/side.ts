// One side in a process of its own: does what its parent tells it, one step after the other.
import type { SidePlan, Step } from './load.ts'
import { openSide } from './measure.ts'
import { pinTo } from './pin.ts'

pinTo('client')
const [plan = ''] = process.argv.slice(2)
const side = await openSide(JSON.parse(plan) as SidePlan)
process.on('message', (step: Step) => {
  // A step that fails ends the process, which its parent sees.
  void take(step).then((answer) => process.send?.({ answer }))
})
process.once('disconnect', () => void side.close())
process.send?.({})

async function take(step: Step): Promise<unknown> {
  if (step.step === 'warmUp') return await side.warmUp(step.workers)
  if (step.step === 'turn') return await side.turn(step)
  return side.report()
}
