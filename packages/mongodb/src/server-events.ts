import type {
  ServerDescriptionChangedEvent,
  ServerHeartbeatFailedEvent,
  ServerHeartbeatSucceededEvent,
  TopologyDescription,
  TopologyDescriptionChangedEvent,
} from 'mongodb'

/** Tells an event, as `emit` does. */
export type Emit = (event: string | symbol, ...values: unknown[]) => boolean

type Heartbeat = ServerHeartbeatSucceededEvent | ServerHeartbeatFailedEvent
type Changed = ServerDescriptionChangedEvent | TopologyDescriptionChangedEvent

/** The last heartbeat of each server, and the last description of each and of all of them. */
class News {
  readonly heartbeats = new Map<string, readonly [name: string, Heartbeat]>()
  readonly servers = new Map<string, ServerDescriptionChangedEvent>()
  topology: TopologyDescriptionChangedEvent | undefined

  note(name: string, event: unknown): void {
    if (name === 'serverHeartbeatSucceeded' || name === 'serverHeartbeatFailed') {
      this.heartbeats.set((event as Heartbeat).connectionId, [name, event as Heartbeat])
    } else if (name === 'serverDescriptionChanged') {
      this.servers.set(
        (event as ServerDescriptionChangedEvent).address,
        event as ServerDescriptionChangedEvent,
      )
    } else if (name === 'topologyDescriptionChanged') {
      this.topology = event as TopologyDescriptionChangedEvent
    }
  }
}

/**
 * What the clients of the driver say of servers, as the listeners of one client hear it: of one at a time. When it is
 * another's turn they hear what they have missed of it, and nothing that they know.
 */
export class ServerEvents {
  readonly #tell: Emit
  readonly #told = new News()
  #turn: News | undefined

  constructor(tell: Emit) {
    this.#tell = tell
  }

  /** One more client. */
  of(): ServerEventsOfClient {
    const said = new News()
    return {
      say: (name, event) => {
        said.note(name, event)
        return this.#turn === said && this.#hear(name, event)
      },
      takeTurn: () => {
        if (this.#turn !== said) this.#giveTurn(said)
      },
    }
  }

  #giveTurn(said: News): void {
    this.#turn = said
    for (const changed of said.servers.values()) {
      const { newDescription: known } = this.#told.servers.get(changed.address) ?? {}
      if (!known?.equals(changed.newDescription))
        this.#hear('serverDescriptionChanged', since(known, changed))
    }
    const { newDescription: known } = this.#told.topology ?? {}
    if (said.topology && !isSame(known, said.topology.newDescription))
      this.#hear('topologyDescriptionChanged', since(known, said.topology))
    for (const [name, heartbeat] of said.heartbeats.values()) this.#hear(name, heartbeat)
  }

  #hear(name: string, event: unknown): boolean {
    this.#told.note(name, event)
    return this.#tell(name, event)
  }
}

/** What one client says of servers. */
export interface ServerEventsOfClient {
  /** Returns whether anybody heard it. */
  say(name: string, event: unknown): boolean
  /** It is the one that is heard from now on. */
  takeTurn(): void
}

function since(known: Changed['newDescription'] | undefined, changed: Changed): Changed {
  const told: Changed = Object.assign(Object.create(Object.getPrototypeOf(changed)), changed)
  return known ? Object.assign(told, { previousDescription: known }) : told
}

function isSame(known: TopologyDescription | undefined, { type, servers }: TopologyDescription): boolean {
  if (known?.type !== type || known.servers.size !== servers.size) return false
  return [...servers].every(([address, server]) => server.equals(known.servers.get(address)))
}
