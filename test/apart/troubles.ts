import type { DatabaseServer } from '@vault-lease/testing'
import type { TwoPools } from './two-pools.ts'

/** What can befall the pool that is not well. */
export interface Trouble {
  begin(pools: TwoPools): unknown
  /** None: it does not end. */
  end?(pools: TwoPools): unknown
}

/** Where the way of the pool leads, and where it is led to. */
interface Ways {
  readonly there: DatabaseServer
  /** A server that does not know the user. */
  readonly elsewhere: DatabaseServer
}

export const troubles = {
  'refuses connections': () => ({
    begin: ({ way }) => way.set({ kind: 'cut' }),
    end: ({ way }) => way.set({ kind: 'none' }),
  }),
  hangs: () => ({
    begin: ({ way }) => way.set({ kind: 'hang' }),
    end: ({ way }) => way.set({ kind: 'none' }),
  }),
  'refuses the user': ({ there, elsewhere }) => ({
    begin: ({ way }) => way.redirect(elsewhere),
    end: ({ way }) => way.redirect(there),
  }),
  'is slow': () => ({
    begin: ({ way }) => way.set({ kind: 'latency', ms: 700 }),
    end: ({ way }) => way.set({ kind: 'none' }),
  }),
  'is exhausted by its holders': () => ({
    begin: (pools) => pools.exhaustOther(),
    end: (pools) => pools.finishHeld(),
  }),
  'is denied statement after statement': () => ({
    begin: (pools) => void pools.pester(() => pools.other.deniedQuery(), 10),
    end: (pools) => pools.stopPestering(),
  }),
  'has ended': () => ({ begin: ({ other }) => void other.close() }),
} as const satisfies Readonly<Record<string, (ways: Ways) => Trouble>>

export type TroubleName = keyof typeof troubles
