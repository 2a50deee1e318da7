import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { TlsFiles } from '../../src/vault/tls.ts'
import { authority } from '../certificates.ts'

/** What happens once, right after a file was read. */
const then = vi.hoisted(() => ({ change: (): void => {} }))

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  const readFileSync: typeof fs.readFileSync = ((...args: Parameters<typeof fs.readFileSync>) => {
    const text = fs.readFileSync(...args)
    const { change } = then
    then.change = () => {}
    change()
    return text
  }) as never
  return { ...fs, readFileSync }
})

it('a certificate that is replaced while it is read is read again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-tls-'))
  try {
    const caCertFile = join(folder, 'ca.pem')
    const [first, second] = [await authority('the first'), await authority('the second one')]
    writeFileSync(caCertFile, first.cert)
    then.change = () => writeFileSync(caCertFile, second.cert)
    const files = new TlsFiles({ caCertFile })
    expect(files.current().ca).toEqual([second.cert])
    const third = await authority('the third of them')
    const fourth = await authority('the fourth, which is the last')
    writeFileSync(caCertFile, third.cert)
    then.change = () => writeFileSync(caCertFile, fourth.cert)
    files.current()
    expect(files.current().ca).toEqual([fourth.cert])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
