import type { LeaseEngineParts } from '../src/lease/engine.ts'
import { LeaseManager } from '../src/lease/manager.ts'
import { SharedEngine } from '../src/lease/shared-engine.ts'

/** A manager that shares nothing. */
export function managerOf(parts: Omit<LeaseEngineParts, 'tell'>): LeaseManager {
  return new LeaseManager({ value: new SharedEngine(parts), release: () => true }, parts.clock)
}
