import type { DataSource } from 'typeorm'
import type { Subject, Workload } from './subject.ts'

/** A workload over a DataSource, which is initialised when it is first needed. */
export function dataSourceSubject(
  dataSource: DataSource,
  workload: (ready: () => Promise<DataSource>) => Workload,
): Subject {
  let initialized: Promise<DataSource> | undefined
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await initialized?.catch(() => {})
    if (dataSource.isInitialized) await dataSource.destroy()
  }
  return {
    ...workload(() => {
      initialized ??= dataSource.initialize().catch((error: unknown) => {
        initialized = undefined
        throw error
      })
      return initialized
    }),
    inspectables: () => [dataSource, dataSource.options, dataSource.driver],
    close() {
      closed ??= close()
      return closed
    },
  }
}
