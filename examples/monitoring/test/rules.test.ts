import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promtool } from '@vault-lease/testing'
import { describe, expect, it } from 'vitest'
import { faster } from './faster.ts'

const folder = fileURLToPath(new URL('../prometheus', import.meta.url))
const files = readdirSync(folder)
const rules = files.filter((name) => name.endsWith('.rules.yml'))

describe('the rules for Prometheus', () => {
  it.each(rules)('%s are well formed, and do what their own tests say', async (name) => {
    const file = join(folder, name)
    await promtool(['check', 'rules', file])
    await promtool(['test', 'rules', file.replace(/\.yml$/, '.test.yml')])
  })

  it('are of use: every alert of theirs has a test, says how bad it is, what it means and what to do', () => {
    for (const name of rules) {
      const text = readFileSync(join(folder, name), 'utf8')
      const tests = readFileSync(join(folder, name.replace(/\.yml$/, '.test.yml')), 'utf8')
      const alerts = text.split('- alert: ').slice(1)
      expect(alerts.length).toBeGreaterThan(0)
      for (const alert of alerts) {
        const alertName = alert.slice(0, alert.indexOf('\n'))
        expect(alert).toMatch(/severity: (warning|critical)/)
        expect(alert).toMatch(/summary: /)
        expect(alert).toMatch(/description: /)
        expect(tests).toMatch(new RegExp(`alertname: ${alertName}\\n +exp_alerts`))
      }
    }
  })

  it('live faster in tests, in the same proportions', () => {
    const text = 'for: 1m\nexpr: increase(x[5m]) > 0 unless y offset 1h\nscrape_interval: 15s'
    expect(faster(text)).toBe('for: 4s\nexpr: increase(x[20s]) > 0 unless y offset 240s\nscrape_interval: 1s')
  })
})
