// One start, in a process of its own: prints how long each of its parts took, in milliseconds.
import type { StartTimes } from './compare-starts.ts'
import { type SideName, type StartName, type StartPlace, starts } from './starts.ts'

const [name, side, place] = process.argv.slice(2) as [StartName, SideName | 'credential', string]
const times = side === 'credential' ? await readCredential(JSON.parse(place)) : await start(name, side)
process.stdout.write(JSON.stringify(times))

async function start(name: StartName, side: SideName): Promise<StartTimes> {
  const began = performance.now()
  const open = await starts[name][side]()
  const imported = performance.now()
  const started = open(JSON.parse(place))
  await started.firstRow()
  const answered = performance.now()
  await started.end()
  const ended = performance.now()
  return { importMs: imported - began, firstRowMs: answered - imported, endMs: ended - answered }
}

/** The request that a lease begins with, by nothing but node. */
async function readCredential({ role }: StartPlace): Promise<StartTimes> {
  // Not with this file: it is part of what the others may load.
  const { get } = await import('node:http')
  const began = performance.now()
  const headers = { 'X-Vault-Token': process.env['VAULT_TOKEN'] }
  await new Promise<void>((resolve, reject) => {
    const request = get(`${process.env['VAULT_ADDR']}/v1/database/creds/${role}`, { headers }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`Vault answered ${answer.statusCode}.`))
      answer.resume().once('end', resolve)
    })
    request.once('error', reject)
  })
  return { importMs: 0, firstRowMs: performance.now() - began, endMs: 0 }
}
