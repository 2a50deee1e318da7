import { readFileSync } from 'node:fs'

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

export interface Query {
  readonly panel: string
  readonly promql: string
  readonly legend: string
}

const values: Readonly<Record<string, string>> = {
  job: '.*',
  instance: '.*',
  vault: 'vault',
  __rate_interval: '10s',
  __interval: '1s',
  __range: '180s',
}

/** What the panels of the dashboard ask, with everything chosen that there is. */
export function dashboardQueries(): Query[] {
  const file = new URL('../grafana/vault-lease.json', import.meta.url)
  const { panels }: { panels: Panel[] } = JSON.parse(readFileSync(file, 'utf8'))
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({
      panel: title,
      legend: legendFormat,
      promql: expr.replaceAll(/\$(\w+)/g, (variable, name: string) => values[name] ?? variable),
    })),
  )
}
