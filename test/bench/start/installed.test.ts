import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { installedBeside } from './installed.ts'

it('what is installed beside a driver is counted once, and without what the driver has itself', () => {
  const root = mkdtempSync(join(tmpdir(), 'vault-lease-installed-'))
  const put = (path: string, dependencies: readonly string[], bytes: number): void => {
    const folder = join(root, 'node_modules', path)
    mkdirSync(folder, { recursive: true })
    const named = Object.fromEntries(dependencies.map((name) => [name, '*']))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ dependencies: named }).padEnd(100))
    writeFileSync(join(folder, 'index.js'), 'x'.repeat(bytes))
  }
  put('driver', ['shared'], 1_000)
  put('shared', [], 1_000)
  put('adapter', ['core', 'shared', 'absent'], 10)
  put('core', ['adapter', 'nested'], 20)
  put('core/node_modules/nested', [], 40)
  try {
    expect(installedBeside('adapter', ['driver'], root)).toEqual({ packages: 3, bytes: 370 })
  } finally {
    rmSync(root, { recursive: true })
  }
})
