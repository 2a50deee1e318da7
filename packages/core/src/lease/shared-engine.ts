import type { EventEmitter } from 'node:events'
import { announce, type LeaseEvents } from '../observe/events.ts'
import { LeaseEngine, type LeaseEngineParts } from './engine.ts'

/** One engine, and the managers that are told what it does. */
export class SharedEngine {
  readonly engine: LeaseEngine
  readonly listeners: Set<EventEmitter<LeaseEvents>> = new Set()

  constructor(parts: Omit<LeaseEngineParts, 'tell'>) {
    this.engine = new LeaseEngine({
      ...parts,
      tell: (name, payload) => announce(this.listeners, name, payload),
    })
  }
}
